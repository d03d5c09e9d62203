// Small parts that all pages share.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { ApiError } from "../base/api";
import { seriesName, type LabelSet } from "../query/result";

// An error of the server, where its answer would have stood.
export function ErrorBox({ error, title = "The server answered with an error" }: { error: ApiError; title?: string }) {
  return (
    <div class="notice bad" role="alert">
      <strong>{title}</strong> <span class="kind">{error.kind}</span>
      <p>{error.message}</p>
    </div>
  );
}

export function Notices({ items, kind }: { items: string[]; kind: "warn" | "info" }) {
  if (items.length === 0) return null;
  return (
    <div class={`notice ${kind}`} role="status">
      {items.map((text) => (
        <p key={text}>{text}</p>
      ))}
    </div>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

// Grey bars in the place of what is on its way: nothing jumps when it comes.
export function Skeleton({ rows = 4 }: { rows?: number }) {
  return (
    <div class="skeleton" aria-busy="true" aria-label="Loading">
      {Array.from({ length: rows }, (_, i) => (
        <div key={i} />
      ))}
    </div>
  );
}

export type Mood = "good" | "warn" | "bad" | "quiet";

// A state, told by a mark and a word: never by colour alone.
export function State({ mood, children }: { mood: Mood; children: ComponentChildren }) {
  const mark = { good: "M3.5 8.5l3 3 6-7", warn: "M8 3.5v6M8 12v.6", bad: "M4.5 4.5l7 7m0-7l-7 7", quiet: "M4 8h8" }[mood];
  return (
    <span class={`state ${mood}`}>
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <path d={mark} />
      </svg>
      {children}
    </span>
  );
}

export function Labels({ labels, hide = [] }: { labels: LabelSet; hide?: string[] }) {
  return (
    <span class="labels">
      {Object.entries(labels)
        .filter(([name]) => !hide.includes(name))
        .map(([name, value]) => (
          <span class="label" key={name}>
            <span>{name}</span>="{value}"
          </span>
        ))}
    </span>
  );
}

// A series with its name strong and its labels quiet; the whole of it can be selected and copied.
export function SeriesText({ metric }: { metric: LabelSet }) {
  const { __name__: name, ...rest } = metric;
  const pairs = Object.entries(rest);
  if (name !== undefined && !/^[a-zA-Z_:][\w:]*$/.test(name)) return <span class="series">{seriesName(metric)}</span>;
  return (
    <span class="series">
      {name !== undefined && <b>{name}</b>}
      {(pairs.length > 0 || name === undefined) && "{"}
      {pairs.map(([key, value], i) => (
        <span key={key}>
          {i > 0 && ", "}
          <i>{key}</i>=<q>{JSON.stringify(value)}</q>
        </span>
      ))}
      {(pairs.length > 0 || name === undefined) && "}"}
    </span>
  );
}

interface Choice<V extends string> {
  value: V;
  label: ComponentChildren;
  title?: string;
}

export function Segmented<V extends string>(props: {
  label: string;
  value: V;
  choices: Choice<V>[];
  onChange: (value: V) => void;
}) {
  return (
    <div class="segmented" role="group" aria-label={props.label}>
      {props.choices.map(({ value, label, title }) => (
        <button key={value} type="button" title={title} aria-pressed={value === props.value} onClick={() => props.onChange(value)}>
          {label}
        </button>
      ))}
    </div>
  );
}

export function SearchBox(props: { value: string; onInput: (text: string) => void; placeholder: string }) {
  return (
    <label class="search">
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <path d="M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM11 11l3 3" />
      </svg>
      <input
        type="search"
        value={props.value}
        placeholder={props.placeholder}
        aria-label={props.placeholder}
        spellcheck={false}
        onInput={(event) => props.onInput(event.currentTarget.value)}
      />
    </label>
  );
}

const ICONS = {
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  left: "M10 3L5 8l5 5",
  right: "M6 3l5 5-5 5",
  down: "M3 6l5 5 5-5",
  close: "M4 4l8 8m0-8l-8 8",
  copy: "M5.5 5.5V3h7.5v7.5h-2.5M3 5.5h7.5V13H3z",
  history: "M2.5 8a5.5 5.5 0 1 0 1.7-4M2.5 2.5v3h3M8 5v3.2l2.2 1.3",
  book: "M3 3h4.2L8 4l.8-1H13v9.5H8.8L8 13.3l-.8-.8H3zM8 4v9",
  sun: "M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6zM8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.9.9M11.7 11.7l.9.9M3.4 12.6l.9-.9M11.7 4.3l.9-.9",
  moon: "M13 9.6A5.6 5.6 0 0 1 6.4 3 5.6 5.6 0 1 0 13 9.6z",
  auto: "M8 2.2a5.8 5.8 0 1 0 0 11.6zM8 2.2a5.8 5.8 0 0 1 0 11.6",
  graph: "M2.5 2.5v11h11M5 10l2.5-3.5 2.5 2 3-4.5",
  tidy: "M3 4h10M5.5 8H13M5.5 12H11",
  reload: "M13 8a5 5 0 1 1-1.5-3.6L13 6M13 2.8V6H9.8",
};

export function Icon({ name }: { name: keyof typeof ICONS }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={ICONS[name]} />
    </svg>
  );
}

// The browser's own modal dialog: it holds the focus, and Escape closes it.
export function Dialog(props: { title: string; onClose: () => void; class?: string; children: ComponentChildren }) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => element.current?.showModal(), []);
  return (
    <dialog
      ref={element}
      class={props.class}
      aria-label={props.title}
      onClose={props.onClose}
      onClick={(event) => event.target === element.current && props.onClose()}
    >
      <header>
        <h2>{props.title}</h2>
        <button type="button" class="plain" aria-label="Close" onClick={props.onClose}>
          <Icon name="close" />
        </button>
      </header>
      {props.children}
    </dialog>
  );
}

// Draws again each second while the page is looked at: for "4s ago".
export function useNow(everyMs = 1000): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

// Annotations often hold links to dashboards and runbooks.
export function TextWithLinks({ text }: { text: string }) {
  const parts = text.split(/(https?:\/\/[^\s<>"]+)/);
  return (
    <>
      {parts.map((part, i) =>
        i % 2 === 1 ? (
          <a key={i} href={part} target="_blank" rel="noopener noreferrer">
            {part}
          </a>
        ) : (
          part
        ),
      )}
    </>
  );
}
