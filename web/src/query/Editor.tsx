// The expression editor as a component. Until its chunk is here a plain text area of the same size stands in its place
// and takes what is typed.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Editor as CodeEditor } from "./editor";

interface Props {
  text: string;
  label: string;
  autofocus: boolean;
  onChange: (text: string) => void;
  onExecute: () => void;
  hold: (editor: CodeEditor | null) => void; // for inserting from outside
}

export function Editor(props: Props) {
  const host = useRef<HTMLDivElement>(null);
  const editor = useRef<CodeEditor | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const [ready, setReady] = useState(false);

  useEffect(() => {
    let gone = false;
    void import("./editor").then(({ createEditor }) => {
      if (gone || host.current === null) return;
      const focused = host.current.parentElement?.querySelector("textarea") === document.activeElement;
      editor.current = createEditor(host.current, latest.current.text, props.label, {
        onChange: (text) => latest.current.onChange(text),
        onExecute: () => latest.current.onExecute(),
      });
      props.hold(editor.current);
      setReady(true);
      if (focused || props.autofocus) editor.current.focus();
    });
    return () => {
      gone = true;
      props.hold(null);
      editor.current?.destroy();
      editor.current = null;
    };
  }, []);
  useEffect(() => editor.current?.setText(props.text), [props.text]);

  return (
    <div class="editor">
      <div ref={host} />
      {!ready && (
        <textarea
          rows={1}
          value={props.text}
          aria-label={props.label}
          spellcheck={false}
          onInput={(event) => props.onChange(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.shiftKey) return;
            event.preventDefault();
            props.onExecute();
          }}
        />
      )}
    </div>
  );
}
