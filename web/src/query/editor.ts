// The expression editor: CodeMirror with PromQL. What it completes, underlines and explains comes from the server that
// the page belongs to. A chunk of its own, loaded by the query page.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, startCompletion } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, insertNewlineAndIndent } from "@codemirror/commands";
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting, syntaxTree } from "@codemirror/language";
import { type Diagnostic, linter } from "@codemirror/lint";
import { EditorState, Prec } from "@codemirror/state";
import { EditorView, hoverTooltip, keymap, placeholder, type Tooltip } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { PromQLExtension } from "@prometheus-io/codemirror-promql";
import { aggregateOpTerms, functionIdentifierTerms } from "@prometheus-io/codemirror-promql/dist/esm/complete/promql.terms";
import { Parser } from "@prometheus-io/codemirror-promql/dist/esm/parser";
import { api, ApiError } from "../base/api";
import { loadMetadata, metadataOf } from "./metadata";

export interface EditorEvents {
  onChange(text: string): void;
  onExecute(): void;
}

export interface Editor {
  setText(text: string): void;
  insert(text: string): void;
  focus(): void;
  destroy(): void;
}

const highlight = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--code-keyword)" },
  { tag: tags.operatorKeyword, color: "var(--code-keyword)" },
  { tag: tags.modifier, color: "var(--code-keyword)" },
  { tag: tags.function(tags.variableName), color: "var(--code-function)" },
  { tag: tags.labelName, color: "var(--code-label)" },
  { tag: tags.string, color: "var(--code-string)" },
  { tag: tags.number, color: "var(--code-number)" },
  { tag: tags.operator, color: "var(--muted)" },
  { tag: tags.comment, color: "var(--muted)", fontStyle: "italic" },
  { tag: tags.invalid, color: "var(--bad)" },
]);

const look = EditorView.theme({
  "&": { fontSize: "14px", backgroundColor: "transparent", color: "var(--text)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "22px", maxHeight: "40vh" },
  ".cm-content": { padding: "8px 0", caretColor: "var(--text)", minHeight: "38px" },
  ".cm-line": { padding: "0 12px" },
  ".cm-placeholder": { color: "var(--muted)" },
  ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": { backgroundColor: "var(--match)", outline: "none" },
  ".cm-selectionBackground, ::selection": { backgroundColor: "var(--select) !important" },
  ".cm-tooltip": {
    backgroundColor: "var(--raised)",
    color: "var(--text)",
    border: "1px solid var(--line)",
    borderRadius: "8px",
    boxShadow: "var(--shadow)",
    overflow: "hidden",
    zIndex: 50,
  },
  ".cm-tooltip.cm-tooltip-autocomplete": { marginTop: "6px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", maxHeight: "20em", fontSize: "13px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "3px 10px", lineHeight: "20px" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent-soft)", color: "var(--text)" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700", color: "var(--accent)" },
  ".cm-completionDetail": { fontStyle: "normal", color: "var(--muted)", marginLeft: "1.2em" },
  ".cm-completionIcon": { display: "none" },
  ".cm-tooltip.cm-completionInfo": { padding: "8px 12px", maxWidth: "360px", lineHeight: "1.45", fontSize: "13px" },
  ".cm-tooltip-hover": { maxWidth: "min(480px, 92vw)" },
  ".cm-diagnostic": { padding: "6px 10px", fontSize: "13px" },
  ".cm-diagnostic-error": { borderLeft: "3px solid var(--bad)" },
  ".cm-lintRange-error": {
    backgroundImage: "none",
    textDecoration: "underline wavy var(--bad) 1.5px",
    textUnderlineOffset: "3px",
  },
});

// What the editor's own grammar refuses needs no question; for the rest the server's parser is the judge. Its position
// is line:column of the text.
async function check(view: EditorView): Promise<Diagnostic[]> {
  const text = view.state.doc.toString();
  if (text.trim() === "") return [];
  const parser = new Parser(view.state);
  parser.analyze();
  const own = parser.getDiagnostics();
  if (own.length > 0) return own;
  try {
    await api("parse_query", { query: text }, undefined, true);
    return [];
  } catch (error) {
    const message = error instanceof ApiError && error.kind === "bad_data" ? error.message : "";
    const match = /(?:^|: )(\d+):(\d+): parse error: ([\s\S]*)$/.exec(message);
    if (match === null) return []; // no network: running the query will tell
    const line = view.state.doc.line(Math.min(Math.max(Number(match[1]), 1), view.state.doc.lines));
    const from = Math.min(line.from + Math.max(Number(match[2]) - 1, 0), line.to);
    const word = /^[\w:.]+/.exec(view.state.doc.sliceString(from, line.to))?.[0].length ?? 1;
    const to = Math.min(from + word, text.length);
    return [{ from: from < to ? from : Math.max(0, to - 1), to, severity: "error", message: match[3]! }];
  }
}

const terms = new Map([...functionIdentifierTerms, ...aggregateOpTerms].map((term) => [term.label, term]));

function card(title: string, note: string, text: string): HTMLElement {
  const dom = document.createElement("div");
  dom.className = "hover-card";
  for (const [name, content] of [["b", title], ["span", note], ["p", text]] as const) {
    if (content !== "") dom.appendChild(document.createElement(name)).textContent = content;
  }
  return dom;
}

async function explain(view: EditorView, pos: number, side: -1 | 1): Promise<Tooltip | null> {
  const node = syntaxTree(view.state).resolveInner(pos, side);
  const word = view.state.doc.sliceString(node.from, node.to);
  if (!/^[a-zA-Z_:][\w:.]*$/.test(word)) return null;
  const tip = (dom: HTMLElement): Tooltip => ({ pos: node.from, end: node.to, above: true, create: () => ({ dom }) });
  if (node.name === "Identifier") {
    const all = await loadMetadata();
    const meta = metadataOf(all, word);
    if (meta === undefined) return tip(card(word, "", "No target tells anything about this metric."));
    const note = [meta.type, meta.unit].filter((part) => part !== "" && part !== "unknown").join(", ");
    return tip(card(word, note, meta.help));
  }
  const term = terms.get(word);
  return term === undefined ? null : tip(card(word, term.detail, term.info));
}

// What is typed over a selection. Left to itself, Chromium would keep the colour of the old text by an inline style,
// which the content security policy refuses with a line in the console.
function typeOver(event: InputEvent, view: EditorView): boolean {
  const { from, to, empty } = view.state.selection.main;
  const text = event.data;
  if (event.inputType !== "insertText" || !text || empty || view.composing) return false;
  event.preventDefault();
  const insert = () =>
    view.state.update({
      changes: { from, to, insert: text },
      selection: { anchor: from + text.length },
      userEvent: "input.type",
      scrollIntoView: true,
    });
  const handled = view.state.facet(EditorView.inputHandler).some((handler) => handler(view, from, to, text, insert));
  if (!handled) view.dispatch(insert());
  return true;
}

export function createEditor(parent: HTMLElement, text: string, label: string, events: EditorEvents): Editor {
  const promql = new PromQLExtension()
    .setComplete({ remote: { url: "", apiPrefix: "api/v1", fetchFn: (input, init) => fetch(String(input).replace(/^\//, ""), init) } })
    .activateLinter(false);
  let silent = false; // while the page, not the reader, changes the text
  const execute = { key: "Enter", run: () => (events.onExecute(), true) };
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        promql.asExtension(),
        look,
        syntaxHighlighting(highlight),
        history(),
        bracketMatching(),
        closeBrackets(),
        indentOnInput(),
        autocompletion({ maxRenderedOptions: 60 }),
        linter(check, { delay: 350 }),
        hoverTooltip(explain, { hoverTime: 250 }),
        EditorView.lineWrapping,
        placeholder("Expression, for example  rate(node_cpu_seconds_total[5m])"),
        EditorView.contentAttributes.of({ "aria-label": label }),
        // Completion's own Enter comes first, then ours.
        Prec.highest(keymap.of(completionKeymap)),
        keymap.of([
          { key: "Shift-Enter", run: insertNewlineAndIndent },
          execute,
          { key: "Mod-Enter", run: execute.run },
          { key: "Alt-Enter", run: startCompletion },
          ...closeBracketsKeymap,
          ...defaultKeymap,
          ...historyKeymap,
        ]),
        EditorView.domEventHandlers({ beforeinput: typeOver }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged && !silent) events.onChange(update.state.doc.toString());
        }),
      ],
    }),
  });
  return {
    setText(next) {
      if (next === view.state.doc.toString()) return;
      silent = true;
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next } });
      silent = false;
    },
    insert(piece) {
      view.dispatch(view.state.replaceSelection(piece));
      view.focus();
    },
    focus: () => view.focus(),
    destroy() {
      view.destroy();
      promql.destroy();
    },
  };
}
