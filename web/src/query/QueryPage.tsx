// All panels. The address holds them: it changes with every change, and back and forward bring them again.
import { useEffect, useRef, useState } from "preact/hooks";
import { setSearch, usePlace } from "../base/router";
import { Icon } from "../ui/bits";
import { Panel } from "./Panel";
import { decodePanels, encodePanels, newPanel, type Panel as PanelState } from "./state";

const REFRESH: [string, number][] = [
  ["Off", 0],
  ["5s", 5000],
  ["15s", 15_000],
  ["30s", 30_000],
  ["1m", 60_000],
  ["5m", 300_000],
];

function useRefresh(): { every: number; setEvery: (ms: number) => void; tick: number; now: () => void } {
  const [every, setEvery] = useState(0);
  const [tick, setTick] = useState(0);
  useEffect(() => {
    if (every === 0) return;
    const timer = setInterval(() => !document.hidden && setTick((n) => n + 1), every);
    return () => clearInterval(timer);
  }, [every]);
  return { every, setEvery, tick, now: () => setTick((n) => n + 1) };
}

function read(search: string): PanelState[] {
  const panels = decodePanels(search);
  return panels.length > 0 ? panels : [newPanel()];
}

export function QueryPage() {
  const { search } = usePlace();
  const [panels, setPanels] = useState(() => read(search));
  const written = useRef(search); // the last address that this page knows
  const refresh = useRefresh();

  // Somebody else changed the address: a link, or the back button.
  useEffect(() => {
    if (search === written.current) return;
    written.current = search;
    setPanels(read(search));
  }, [search]);

  const show = (next: PanelState[], entry: boolean) => {
    setPanels(next);
    const text = next.length === 1 && next[0]!.expr === "" ? "" : encodePanels(next);
    written.current = text;
    setSearch(text, entry);
  };
  const add = () => {
    const last = panels[panels.length - 1]!;
    show([...panels, newPanel({ tab: last.tab, rangeMs: last.rangeMs, endMs: last.endMs, step: last.step })], false);
  };
  return (
    <main class="query" id="main">
      <div class="page-head">
        <h1>Query</h1>
        <div class="joined" role="group" aria-label="Refresh">
          <button type="button" title="Ask again now" aria-label="Ask again now" onClick={refresh.now}>
            <Icon name="reload" />
          </button>
          <select
            aria-label="Refresh automatically"
            title="Refresh automatically"
            value={String(refresh.every)}
            onChange={(event) => refresh.setEvery(Number(event.currentTarget.value))}
          >
            {REFRESH.map(([label, ms]) => (
              <option key={ms} value={String(ms)}>
                {ms === 0 ? "Refresh: off" : `Every ${label}`}
              </option>
            ))}
          </select>
        </div>
      </div>
      {panels.map((panel, i) => (
        <Panel
          key={panel.id}
          panel={panel}
          only={panels.length === 1}
          autofocus={i === panels.length - 1 && panel.expr === ""}
          tick={refresh.tick}
          onChange={(next, entry) => show(panels.map((old) => (old.id === next.id ? next : old)), entry)}
          onRemove={() => show(panels.filter((old) => old.id !== panel.id), false)}
        />
      ))}
      <button type="button" class="add" onClick={add}>
        <Icon name="plus" /> Add panel
      </button>
    </main>
  );
}
