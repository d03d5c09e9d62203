// A long list of which only what is in sight (and a little more) stands in the document. Rows may have any height:
// they are measured once they are there.
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

interface Props<T> {
  items: T[];
  keyOf: (item: T) => string;
  estimate: number; // px, of a row never seen
  render: (item: T, index: number) => ComponentChildren;
  label: string;
  class?: string;
  box?: boolean; // scrolls by itself (its class sets max-height), not with the window
}

const OVERSCAN = 400; // px

// Index of the last offset not above `at`.
function indexAt(offsets: number[], at: number): number {
  let [low, high] = [0, offsets.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (offsets[middle]! <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

export function Virtual<T>({ items, keyOf, estimate, render, label, class: name = "", box = false }: Props<T>) {
  const outer = useRef<HTMLDivElement>(null);
  const heights = useRef(new Map<string, number>());
  const [version, setVersion] = useState(0);
  const [view, setView] = useState({ from: 0, to: 1200 });

  const offsets = useMemo(() => {
    const out = [0];
    for (const item of items) out.push(out[out.length - 1]! + (heights.current.get(keyOf(item)) ?? estimate));
    return out;
  }, [items, version, estimate]);

  useEffect(() => {
    const element = outer.current!;
    const scroller: HTMLElement | Window = box ? element : window;
    let frame = 0;
    const look = () => {
      frame = 0;
      const top = box ? element.scrollTop : -element.getBoundingClientRect().top;
      const height = box ? element.clientHeight : innerHeight;
      setView((old) => {
        const next = { from: Math.max(0, top), to: Math.max(0, top) + height };
        // Small moves stay within what is drawn beyond the edges.
        return Math.abs(next.from - old.from) < OVERSCAN / 4 && Math.abs(next.to - old.to) < OVERSCAN / 4 ? old : next;
      });
    };
    const soon = () => {
      if (frame === 0) frame = requestAnimationFrame(look);
    };
    look();
    scroller.addEventListener("scroll", soon, { passive: true });
    addEventListener("resize", soon);
    return () => {
      cancelAnimationFrame(frame);
      scroller.removeEventListener("scroll", soon);
      removeEventListener("resize", soon);
    };
  }, [box, items.length === 0]);

  const total = offsets[offsets.length - 1]!;
  const first = Math.min(indexAt(offsets, Math.max(0, view.from - OVERSCAN)), Math.max(0, items.length - 1));
  const last = Math.min(indexAt(offsets, view.to + OVERSCAN) + 1, items.length);

  // Measures what has just been laid out.
  useLayoutEffect(() => {
    const list = outer.current?.firstElementChild;
    let changed = false;
    for (const row of Array.from(list?.children ?? [])) {
      const key = (row as HTMLElement).dataset.key;
      const height = (row as HTMLElement).offsetHeight;
      if (key === undefined || height === 0 || heights.current.get(key) === height) continue;
      if (height !== (heights.current.get(key) ?? estimate)) changed = true;
      heights.current.set(key, height);
    }
    if (changed) setVersion((v) => v + 1);
  });

  return (
    <div ref={outer} class={`virtual ${name}`} tabIndex={box ? 0 : undefined}>
      <div
        role="list"
        aria-label={label}
        style={{ paddingTop: `${offsets[first] ?? 0}px`, paddingBottom: `${Math.max(0, total - (offsets[last] ?? total))}px` }}
      >
        {items.slice(first, last).map((item, i) => {
          const key = keyOf(item);
          return (
            <div key={key} data-key={key} role="listitem" aria-setsize={items.length} aria-posinset={first + i + 1}>
              {render(item, first + i)}
            </div>
          );
        })}
      </div>
    </div>
  );
}
