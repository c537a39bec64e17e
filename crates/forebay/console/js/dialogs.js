// Dialogs on the browser's own <dialog>: it keeps the focus inside, closes on
// Escape, and gives the focus back.

import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { Icon, Problem } from "./parts.js";

export function Dialog({ title, onClose, children }) {
  const dialog = useRef(null);
  useEffect(() => {
    const element = dialog.current;
    element.showModal();
    return () => element.close();
  }, []);
  const onCancel = (event) => {
    event.preventDefault();
    onClose();
  };
  return html`<dialog ref=${dialog} onCancel=${onCancel} aria-labelledby="dialog-title">
    <header>
      <h2 id="dialog-title">${title}</h2>
      <button type="button" class="icon-button" aria-label="Close" onClick=${onClose}>
        <${Icon} name="close" />
      </button>
    </header>
    ${children}
  </dialog>`;
}

/**
 * Asks for the typed name of what is to go. `onConfirm` does it and may throw;
 * the dialog shows why.
 */
export function TypedConfirmation({ title, word, verb, onConfirm, onClose, children }) {
  const [typed, setTyped] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const onSubmit = async (event) => {
    event.preventDefault();
    if (typed !== word || busy) return;
    setBusy(true);
    setError(null);
    try {
      await onConfirm();
    } catch (refusal) {
      setError(refusal);
      setBusy(false);
    }
  };
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <form onSubmit=${onSubmit}>
      ${children}
      <label for="typed-name">Type <strong class="mono">${word}</strong> to confirm</label>
      <input
        id="typed-name"
        class="mono"
        autocomplete="off"
        autocapitalize="off"
        spellcheck=${false}
        autofocus
        value=${typed}
        onInput=${(event) => setTyped(event.target.value)}
      />
      ${error && html`<${Problem} title="Not done" error=${error} />`}
      <footer>
        <button type="button" class="button" onClick=${onClose}>Cancel</button>
        <button type="submit" class="button button-danger" disabled=${typed !== word || busy}>
          ${busy ? "Working …" : verb}
        </button>
      </footer>
    </form>
  <//>`;
}
