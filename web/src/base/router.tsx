// Which page is shown. The last segment of the path names it; what stands before is the prefix that the server or a
// proxy gives, and stays.
import type { ComponentChildren } from "preact";
import { createStore, useStore } from "./store";

export interface Place {
  page: string; // "query", "alerts", ...
  search: string; // with its question mark, or ""
}

export function placeOf(pathname: string, search: string): Place {
  const page = pathname.slice(pathname.lastIndexOf("/") + 1);
  return { page: page === "" || page === "graph" ? "query" : page, search };
}

const here = () => placeOf(location.pathname, location.search);
export const place = createStore<Place>(typeof location === "undefined" ? { page: "query", search: "" } : here());
export const usePlace = () => useStore(place);

export function followLocation(): void {
  addEventListener("popstate", () => place.set(here()));
}

export function navigate(page: string, search = ""): void {
  window.history.pushState(null, "", page + search);
  place.set(here());
  scrollTo(0, 0);
}

// Changes the address in place. With `entry` the back button returns to the address before.
export function setSearch(search: string, entry = false): void {
  if (search === location.search) return;
  const url = location.pathname.slice(location.pathname.lastIndexOf("/") + 1) + search;
  if (entry) window.history.pushState(null, "", url);
  else window.history.replaceState(null, "", url);
  place.set(here());
}

// A parameter of the page's own, as a filter keeps it: what is empty does not show in the address.
export function useSearchParam(name: string, fallback = ""): [string, (value: string) => void] {
  const { search } = usePlace();
  const value = new URLSearchParams(search).get(name) ?? fallback;
  const set = (next: string) => {
    const params = new URLSearchParams(location.search);
    if (next === fallback) params.delete(name);
    else params.set(name, next);
    const text = params.toString();
    setSearch(text === "" ? "" : "?" + text);
  };
  return [value, set];
}

interface LinkProps {
  to: string;
  search?: string;
  class?: string;
  current?: boolean;
  title?: string;
  children: ComponentChildren;
}

export function Link({ to, search = "", current, children, ...rest }: LinkProps) {
  const onClick = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(to, search);
  };
  return (
    <a href={to + search} onClick={onClick} aria-current={current ? "page" : undefined} {...rest}>
      {children}
    </a>
  );
}
