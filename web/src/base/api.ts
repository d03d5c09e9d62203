// The server's API. Paths are relative to the page, so that any route prefix and any proxy will do.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";

export type Params = Record<string, string | number | string[] | undefined>;

export interface Answer<T> {
  data: T;
  warnings: string[];
  infos: string[];
}

// What went wrong, in the server's own words where it has any.
export class ApiError extends Error {
  constructor(
    readonly kind: string,
    message: string,
  ) {
    super(message);
  }
}

function encode(params: Params): URLSearchParams {
  const out = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) out.append(name, String(one));
  }
  return out;
}

// post: for what may be long (queries).
export async function api<T>(path: string, params: Params = {}, signal?: AbortSignal, post = false): Promise<Answer<T>> {
  const form = encode(params);
  const query = form.toString();
  let response: Response;
  try {
    response = post
      ? await fetch(`api/v1/${path}`, { method: "POST", body: form, signal })
      : await fetch(`api/v1/${path}${query === "" ? "" : "?" + query}`, { signal });
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    throw new ApiError("unreachable", "The server does not answer. Is it running, and is the network there?");
  }
  const text = await response.text();
  let body: { status?: string; data?: T; error?: string; errorType?: string; warnings?: string[]; infos?: string[] };
  try {
    body = JSON.parse(text);
  } catch {
    const said = text.trim().slice(0, 500);
    throw new ApiError(`HTTP ${response.status}`, said === "" ? response.statusText : said);
  }
  if (body.status !== "success") {
    throw new ApiError(body.errorType ?? `HTTP ${response.status}`, body.error ?? "The answer has no error text.");
  }
  return { data: body.data as T, warnings: body.warnings ?? [], infos: body.infos ?? [] };
}

export interface Fetched<T> {
  data: T | undefined; // of the last good answer: it stays while the next one is on its way, or fails
  error: ApiError | undefined;
  loading: boolean;
  at: number; // when data came
  reload: () => void;
}

// Fetches now and, while the page is looked at, again after each everyMs (0: only once).
export function useApi<T>(path: string, params: Params = {}, everyMs = 0): Fetched<T> {
  const [state, setState] = useState<Omit<Fetched<T>, "reload">>({
    data: undefined,
    error: undefined,
    loading: true,
    at: 0,
  });
  const key = path + "?" + encode(params).toString();
  const running = useRef<AbortController | null>(null);
  const reload = useCallback(() => {
    running.current?.abort();
    const abort = new AbortController();
    running.current = abort;
    api<T>(path, params, abort.signal).then(
      ({ data }) => setState({ data, error: undefined, loading: false, at: Date.now() }),
      (error) => {
        if (!abort.signal.aborted) setState((old) => ({ ...old, error: error as ApiError, loading: false }));
      },
    );
  }, [key]);
  useEffect(() => {
    reload();
    return () => running.current?.abort();
  }, [reload]);
  useEffect(() => {
    if (everyMs <= 0) return;
    const timer = setInterval(() => {
      if (!document.hidden) reload();
    }, everyMs);
    return () => clearInterval(timer);
  }, [everyMs, reload]);
  return { ...state, reload };
}
