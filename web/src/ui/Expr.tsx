// An expression as text, with colours where the words are plain to see, and a link to its graph.
import { Link } from "../base/router";
import { querySearch } from "../query/state";

const TOKEN =
  /("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)|(#.*)|\b(by|without|on|ignoring|group_left|group_right|bool|offset|and|or|unless|start|end)\b|([a-zA-Z_:][\w:]*)(?=\s*\()|([a-zA-Z_:][\w:.]*)|(\d[\w.]*)/g;
const CLASSES = ["", "string", "comment", "keyword", "function", "", "number"];

export function Colored({ text }: { text: string }) {
  const out = [];
  let at = 0;
  for (const match of text.matchAll(TOKEN)) {
    const kind = match.slice(1).findIndex((group) => group !== undefined) + 1;
    if (match.index > at) out.push(text.slice(at, match.index));
    out.push(
      CLASSES[kind] === "" ? match[0] : (
        <span key={match.index} class={`tok-${CLASSES[kind]}`}>
          {match[0]}
        </span>
      ),
    );
    at = match.index + match[0].length;
  }
  out.push(text.slice(at));
  return <>{out}</>;
}

export function Expr({ text }: { text: string }) {
  return (
    <Link to="query" search={querySearch(text)} class="expr" title="Show the graph of this expression">
      <Colored text={text} />
    </Link>
  );
}
