// Addresses that can be bookmarked: the path names the page, the query what it
// shows.

import { html, useEffect, useState } from "../vendor/htm-preact.js";

const listeners = new Set();

function here() {
  return { path: location.pathname, query: new URLSearchParams(location.search) };
}

function tell() {
  for (const listener of listeners) listener(here());
}

addEventListener("popstate", tell);

/** Makes an address of a path and what is not empty of `query`. */
export function address(path, query = {}) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") search.set(name, value);
  }
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}

/** Goes to an address of the console; `replace` leaves no step to go back to. */
export function navigate(to, { replace = false } = {}) {
  if (to === location.pathname + location.search) return;
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  tell();
  if (!replace) scrollTo(0, 0);
}

export function useLocation() {
  const [place, setPlace] = useState(here);
  useEffect(() => {
    listeners.add(setPlace);
    setPlace(here());
    return () => listeners.delete(setPlace);
  }, []);
  return place;
}

/** A link inside the console; with a modifier key the browser does its own. */
export function Link({ to, children, ...rest }) {
  const follow = (event) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) {
      return;
    }
    event.preventDefault();
    navigate(to);
  };
  return html`<a href=${to} onClick=${follow} ...${rest}>${children}</a>`;
}
