// Small parts that all pages use.

import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { copy } from "./clipboard.js";
import * as format from "./format.js";

const ICONS = {
  check: "M4.500 12.500l5 5L19.500 7",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h10v11H9zM5 15V4h10",
  down: "M6 9l6 6 6-6",
  up: "M6 15l6-6 6 6",
  download: "M12 4v11m-5-5l5 5 5-5M5 20h14",
  moon: "M20 14.500A8 8 0 0 1 9.500 4a8 8 0 1 0 10.500 10.500z",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.500v2M12 19.500v2M2.500 12h2M19.500 12h2M5.300 5.300l1.400 1.400M17.300 17.300l1.400 1.400M5.300 18.700l1.400-1.400M17.300 6.700l1.400-1.400",
  pause: "M8.500 5v14M15.500 5v14",
  play: "M7.500 5l11 7-11 7z",
  plus: "M12 5v14M5 12h14",
  search: "M10.500 4a6.500 6.500 0 1 0 0 13 6.500 6.500 0 0 0 0-13zM15.500 15.500L20 20",
  send: "M4 12l16-8-6 16-3-6.500z",
  trash: "M5 7h14M10 7V4.500h4V7M7 7l1 13h8l1-13",
  edit: "M5 19h3.500L19 8.500 15.500 5 5 15.500z",
  user: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM4.500 20c1-4 4-5.500 7.500-5.500s6.500 1.500 7.500 5.500",
  warning: "M12 4L2.500 20h19zM12 10v5M12 17.500v.5",
};

export function Icon({ name }) {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
    <path d=${ICONS[name]} />
  </svg>`;
}

export function Status({ status }) {
  const text = { running: "Running", paused: "Paused" }[status] ?? status;
  return html`<span class="status status-${status}"><span class="dot" />${text}</span>`;
}

/** A moment in local time; in UTC under the pointer. */
export function Time({ ms, precise = false }) {
  const text = precise ? format.preciseTime(ms) : format.dateTime(ms);
  // Kafka keeps any number as a message's time, also such as no calendar has.
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return html`<span title="not a time">${ms}</span>`;
  return html`<time dateTime=${date.toISOString()} title=${format.utc(ms)}>${text}</time>`;
}

export function CopyButton({ text, label = "Copy", compact = false }) {
  const [state, setState] = useState("");
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const onClick = async () => {
    try {
      await copy(text);
      setState("Copied");
    } catch {
      setState("Not copied");
    }
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setState(""), 2_000);
  };
  const icon = html`<${Icon} name=${state === "Copied" ? "check" : "copy"} />`;
  return html`<button
    type="button"
    class=${compact ? "icon-button" : "button button-quiet"}
    onClick=${onClick}
    aria-label=${compact ? state || label : undefined}
    title=${compact ? state || label : undefined}
  >
    ${icon}${!compact && html`<span>${state || label}</span>`}
    <span class="visually-hidden" role="status">${state}</span>
  </button>`;
}

/** What there is when there is nothing. */
export function Empty({ title, children }) {
  return html`<div class="empty"><p class="empty-title">${title}</p>${children}</div>`;
}

export function Problem({ title, error, onRetry }) {
  const code = error.code && !["Unreachable", "Error"].includes(error.code);
  return html`<div class="problem" role="alert">
    <${Icon} name="warning" />
    <div>
      <p class="problem-title">${title}</p>
      <p>${code && html`<code>${error.code}</code>${" "}`}${error.message}</p>
    </div>
    ${onRetry && html`<button type="button" class="button" onClick=${onRetry}>Try again</button>`}
  </div>`;
}

/** In place of text that is on its way. */
export function Skeleton({ lines = 3 }) {
  return html`<div class="skeleton" role="status">
    <span class="visually-hidden">Loading</span>
    ${Array.from({ length: lines }, () => html`<div class="skeleton-line" />`)}
  </div>`;
}

/** A labelled control with its hint and its error. */
export function Field({ id, label, hint, error, optional, children }) {
  return html`<div class="field ${error ? "field-wrong" : ""}">
    <label for=${id}>${label}${optional && html` <span class="optional">optional</span>`}</label>
    ${children}
    ${hint && !error && html`<p class="hint" id="${id}-hint">${hint}</p>`}
    ${error && html`<p class="field-error" id="${id}-error"><${Icon} name="warning" />${error}</p>`}
  </div>`;
}

/** The attributes that tie a control to its Field. */
export function described(id, { hint, error }) {
  return {
    id,
    "aria-invalid": error ? "true" : undefined,
    "aria-describedby": error ? `${id}-error` : hint ? `${id}-hint` : undefined,
  };
}

/** Tabs by the pattern of WAI-ARIA: arrows move, one of them takes the focus. */
export function Tabs({ name, tabs, chosen, onChoose, children }) {
  const ids = (tab) => `${name}-tab-${tab}`;
  const onKeyDown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const index = tabs.findIndex(([tab]) => tab === chosen);
    const [tab] = tabs[(index + step + tabs.length) % tabs.length];
    onChoose(tab);
    document.getElementById(ids(tab))?.focus();
  };
  return html`<div>
    <div class="tabs" role="tablist" onKeyDown=${onKeyDown}>
      ${tabs.map(
        ([tab, label]) => html`<button
          type="button"
          role="tab"
          id=${ids(tab)}
          aria-selected=${tab === chosen ? "true" : "false"}
          aria-controls="${name}-panel"
          tabindex=${tab === chosen ? 0 : -1}
          onClick=${() => onChoose(tab)}
        >
          ${label}
        </button>`,
      )}
    </div>
    <div role="tabpanel" id="${name}-panel" aria-labelledby=${ids(chosen)}>${children}</div>
  </div>`;
}

/** A page's head: its title, what it is about, and what can be done. */
export function PageHead({ title, children, actions }) {
  return html`<div class="page-head">
    <div class="page-title">
      <h1 tabindex="-1">${title}</h1>
      ${children}
    </div>
    ${actions && html`<div class="page-actions">${actions}</div>`}
  </div>`;
}

/** Gives the browser's tab its name. */
export function useTitle(title) {
  useEffect(() => {
    document.title = title ? `${title} · Forebay` : "Forebay";
  }, [title]);
}
