// What this browser remembers: theme, time zone, queries that ran.
import { createStore, type Store } from "./store";

export type Theme = "system" | "light" | "dark";

const PREFIX = "narthex.";
const HISTORY_LIMIT = 100;

// Storage may be forbidden or full: then the setting lives as long as the page.
function load<T>(key: string, fallback: T): T {
  try {
    const text = localStorage.getItem(PREFIX + key);
    return text === null ? fallback : (JSON.parse(text) as T);
  } catch {
    return fallback;
  }
}

function persistent<T>(key: string, fallback: T): Store<T> {
  const store = createStore(load(key, fallback));
  store.subscribe(() => {
    try {
      localStorage.setItem(PREFIX + key, JSON.stringify(store.get()));
    } catch {
      // see load()
    }
  });
  return store;
}

export const theme = persistent<Theme>("theme", "system");
export const utc = persistent("utc", false);
export const history = persistent<string[]>("history", []);

export function remember(expr: string): void {
  const text = expr.trim();
  if (text === "") return;
  history.set([text, ...history.get().filter((old) => old !== text)].slice(0, HISTORY_LIMIT));
}

const prefersDark = typeof matchMedia === "function" ? matchMedia("(prefers-color-scheme: dark)") : null;

// Whether dark colours are shown now.
export const dark = createStore(false);

export function followTheme(): void {
  const apply = () => {
    const on = theme.get() === "dark" || (theme.get() === "system" && prefersDark?.matches === true);
    document.documentElement.dataset.theme = on ? "dark" : "light";
    dark.set(on);
  };
  theme.subscribe(apply);
  prefersDark?.addEventListener("change", apply);
  apply();
}
