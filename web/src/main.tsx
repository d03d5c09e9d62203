// The frame around all pages.
import { render } from "preact";
import { useEffect } from "preact/hooks";
import { useApi } from "./base/api";
import { followLocation, Link, usePlace } from "./base/router";
import { followTheme, theme, type Theme, utc } from "./base/settings";
import { useStore } from "./base/store";
import { Alerts } from "./pages/Alerts";
import { Discovery } from "./pages/Discovery";
import { Rules } from "./pages/Rules";
import { Status } from "./pages/Status";
import { AlertmanagersPage, Config, Flags, TsdbStatus } from "./pages/StatusPages";
import { Targets } from "./pages/Targets";
import { QueryPage } from "./query/QueryPage";
import { Icon } from "./ui/bits";
import "./style/base.css";
import "./style/parts.css";
import "./style/query.css";
import "./style/pages.css";
import "./style/details.css";
import "./style/exemplars.css";

const STATUS = ["status", "tsdb-status", "config", "flags", "alertmanager-discovery"];

const PAGES: Record<string, { title: string; view: () => preact.JSX.Element }> = {
  query: { title: "Query", view: QueryPage },
  alerts: { title: "Alerts", view: Alerts },
  rules: { title: "Rules", view: Rules },
  targets: { title: "Targets", view: Targets },
  "service-discovery": { title: "Service discovery", view: Discovery },
  status: { title: "Status", view: Status },
  "tsdb-status": { title: "Storage", view: TsdbStatus },
  config: { title: "Configuration", view: Config },
  flags: { title: "Flags", view: Flags },
  "alertmanager-discovery": { title: "Alertmanagers", view: AlertmanagersPage },
};

const NEXT: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };
const THEME_ICON = { system: "auto", light: "sun", dark: "moon" } as const;

// The name that the server gave the page (--web.page-title).
const siteTitle = document.title;

// How many alerts fire, beside the word Alerts.
function Firing() {
  const { data } = useApi<{ alerts: { state: string }[] }>("alerts", {}, 15_000);
  const count = data?.alerts.filter((alert) => alert.state === "firing").length ?? 0;
  return count === 0 ? null : (
    <span class="badge" aria-label={`${count} firing`}>
      {count}
    </span>
  );
}

interface Notification {
  text: string;
  date: string;
  active: boolean;
}

// What the server wants everybody to know, such as a configuration that it could not load.
function Notifications() {
  const { data } = useApi<Notification[]>("notifications", {}, 15_000);
  const active = (data ?? []).filter((one) => one.active);
  if (active.length === 0) return null;
  return (
    <div class="announce" role="status">
      {active.map((one) => (
        <p key={one.text}>{one.text}</p>
      ))}
    </div>
  );
}

function Bar({ page }: { page: string }) {
  const zone = useStore(utc);
  const look = useStore(theme);
  const item = (to: string, title: preact.ComponentChildren, current = page === to) => (
    <Link to={to} current={current}>
      {title}
    </Link>
  );
  return (
    <header class="bar">
      <a class="skip" href="#main">
        To the content
      </a>
      <Link to="query" class="brand" title={siteTitle}>
        <img src="favicon.svg" alt="" width="26" height="26" />
        <span>{siteTitle}</span>
      </Link>
      <nav aria-label="Pages">
        {item("query", "Query")}
        {item("alerts", <>Alerts<Firing /></>)}
        {item("rules", "Rules")}
        {item("targets", "Targets")}
        {item("service-discovery", "Discovery")}
        {item("status", "Status", STATUS.includes(page))}
      </nav>
      <div class="bar-end">
        <button type="button" class="plain zone" onClick={() => utc.set(!zone)} title={`Times are ${zone ? "UTC" : "local"}: click to change`} aria-label={`Time zone: ${zone ? "UTC" : "local"}`}>
          {zone ? "UTC" : "Local"}
        </button>
        <button type="button" class="plain" onClick={() => theme.set(NEXT[look])} title={`Colours: ${look}`} aria-label={`Colours: ${look}`}>
          <Icon name={THEME_ICON[look]} />
        </button>
      </div>
    </header>
  );
}

function App() {
  const { page } = usePlace();
  const known = PAGES[page];
  useEffect(() => {
    document.title = known === undefined ? siteTitle : `${known.title} · ${siteTitle}`;
  }, [page]);
  const View = known?.view;
  return (
    <>
      <Bar page={page} />
      <Notifications />
      {View === undefined ? (
        <main id="main">
          <h1>There is no such page</h1>
          <p>
            <Link to="query">Query</Link> is a good place to begin.
          </p>
        </main>
      ) : (
        <View key={page} />
      )}
    </>
  );
}

followTheme();
followLocation();
render(<App />, document.getElementById("app")!);
