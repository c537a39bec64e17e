// Prompts in the top right corner. They say what was done; a screen reader says
// it too, and a pointer or the focus on one keeps it.

import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { Icon } from "./parts.js";

const SHOWN_MS = { done: 6_000, failed: 12_000 };
const MOST = 4;

let toasts = [];
let next = 1;
const listeners = new Set();

function set(changed) {
  toasts = changed;
  for (const listener of listeners) listener(toasts);
}

function add(kind, title, text) {
  const toast = { id: next, kind, title, text };
  next += 1;
  set([...toasts, toast].slice(-MOST));
}

function remove(id) {
  set(toasts.filter((toast) => toast.id !== id));
}

export function done(title, text = "") {
  add("done", title, text);
}

export function failed(title, error) {
  const code = error?.code && error.code !== "Unreachable" ? `${error.code}: ` : "";
  add("failed", title, error ? code + error.message : "");
}

function Toast({ toast }) {
  const [kept, setKept] = useState(false);
  useEffect(() => {
    if (kept) return undefined;
    const timer = setTimeout(() => remove(toast.id), SHOWN_MS[toast.kind]);
    return () => clearTimeout(timer);
  }, [kept]);
  return html`<div
    class="toast toast-${toast.kind}"
    onMouseEnter=${() => setKept(true)}
    onMouseLeave=${() => setKept(false)}
    onFocusIn=${() => setKept(true)}
    onFocusOut=${() => setKept(false)}
  >
    <${Icon} name=${toast.kind === "done" ? "check" : "warning"} />
    <div class="toast-text">
      <strong>${toast.title}</strong>
      ${toast.text && html`<span>${toast.text}</span>`}
    </div>
    <button type="button" class="icon-button" aria-label="Dismiss" onClick=${() => remove(toast.id)}>
      <${Icon} name="close" />
    </button>
  </div>`;
}

export function Toasts() {
  const [list, setList] = useState(toasts);
  useEffect(() => {
    listeners.add(setList);
    return () => listeners.delete(setList);
  }, []);
  // Failures interrupt, successes wait for their turn; both regions are there
  // from the beginning, or screen readers would not look at them.
  const of = (kind) =>
    list
      .filter((toast) => toast.kind === kind)
      .map((toast) => html`<${Toast} key=${toast.id} toast=${toast} />`);
  return html`<div class="toasts">
    <div role="status" aria-live="polite">${of("done")}</div>
    <div role="alert" aria-live="assertive">${of("failed")}</div>
  </div>`;
}
