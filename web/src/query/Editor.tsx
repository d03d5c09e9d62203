// The expression editor as a component. Until its chunk is here a plain text area of the same size stands in its place
// and takes what is typed. The text is the editor's own: a page that wrote it back would overtake fast fingers.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Editor as CodeEditor } from "./editor";

interface Props {
  text: string; // to begin with, and again whenever it changes
  label: string;
  autofocus: boolean;
  onChange: (text: string) => void;
  onExecute: () => void;
  hold: (editor: CodeEditor | null) => void; // for inserting from outside
}

export function Editor(props: Props) {
  const host = useRef<HTMLDivElement>(null);
  const area = useRef<HTMLTextAreaElement>(null);
  const editor = useRef<CodeEditor | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const [ready, setReady] = useState(false);

  useEffect(() => {
    let gone = false;
    const show = ({ createEditor }: typeof import("./editor")) => {
      if (gone || host.current === null) return;
      const focused = area.current === document.activeElement;
      editor.current = createEditor(host.current, area.current?.value ?? latest.current.text, props.label, {
        onChange: (text) => latest.current.onChange(text),
        onExecute: () => latest.current.onExecute(),
      });
      props.hold(editor.current);
      setReady(true);
      if (focused || props.autofocus) editor.current.focus();
    };
    import("./editor").then(show, () => {}); // not there: the text area stays, and does
    return () => {
      gone = true;
      props.hold(null);
      editor.current?.destroy();
      editor.current = null;
    };
  }, []);
  useEffect(() => {
    editor.current?.setText(props.text);
    if (area.current !== null) area.current.value = props.text;
  }, [props.text]);

  return (
    <div class="editor">
      <div ref={host} />
      {!ready && (
        <textarea
          ref={area}
          rows={1}
          defaultValue={props.text}
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
