// The console's frame: who is signed in, which page, and what is around it.

import { html, render, useEffect, useErrorBoundary, useRef, useState } from "../vendor/htm-preact.js";
import { currentSession, loadSession, onSession, signOut } from "./api.js";
import { useReachable } from "./live.js";
import { LoginPage } from "./login_page.js";
import { MessagesPage } from "./messages_page.js";
import { NewTaskPage } from "./new_task_page.js";
import { Empty, Icon, Problem, Skeleton, useTitle } from "./parts.js";
import { Link, navigate, useLocation } from "./router.js";
import { SystemPage } from "./system_page.js";
import { TaskPage } from "./task_page.js";
import { TasksPage } from "./tasks_page.js";
import { Toasts, failed } from "./toasts.js";

const NAVIGATION = [
  ["/tasks", "Data Access"],
  ["/messages", "Querying Message"],
  ["/system", "System"],
];

function Page({ path, query }) {
  const task = /^\/tasks\/([A-Za-z0-9_-]+)$/.exec(path);
  if (task) return html`<${TaskPage} key=${task[1]} taskId=${task[1]} query=${query} />`;
  switch (path) {
    case "/tasks":
      return html`<${TasksPage} query=${query} />`;
    case "/new-task":
      return html`<${NewTaskPage} />`;
    case "/messages":
      return html`<${MessagesPage} query=${query} />`;
    case "/system":
      return html`<${SystemPage} />`;
    default:
      return html`<${NotFound} />`;
  }
}

/** Keeps the frame when a page fails: one can go elsewhere, and try again. */
function Guarded({ place, children }) {
  const [error, reset] = useErrorBoundary((thrown) => console.error(thrown));
  useEffect(() => {
    if (error) reset();
  }, [place]);
  if (!error) return children;
  const told = { message: `The browser could not do it: ${error.message ?? error}` };
  return html`<${Problem} title="This page cannot be shown" error=${told} onRetry=${reset} />`;
}

function NotFound() {
  useTitle("Not found");
  return html`<${Empty} title="There is no such page">
    <${Link} class="button" to="/tasks">Data Access<//>
  <//>`;
}

function ThemeButton() {
  const systemDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const [theme, setTheme] = useState(
    document.documentElement.dataset.theme ?? (systemDark ? "dark" : "light"),
  );
  const other = theme === "dark" ? "light" : "dark";
  const onClick = () => {
    document.documentElement.dataset.theme = other;
    try {
      localStorage.setItem("forebay-theme", other);
    } catch {
      // Storage may be forbidden: the choice lasts as long as the page.
    }
    setTheme(other);
    dispatchEvent(new Event("themechange"));
  };
  return html`<button type="button" class="icon-button" onClick=${onClick}
    aria-label="Use the ${other} theme" title="Use the ${other} theme">
    <${Icon} name=${other === "dark" ? "moon" : "sun"} />
  </button>`;
}

function Header({ path, session }) {
  const onSignOut = async () => {
    try {
      await signOut();
    } catch (error) {
      if (error.code === "SignedInAnew") return failed("Not signed out", error);
      failed("Signed out on this page only", error);
    }
    return navigate("/login");
  };
  return html`<header class="top">
    <a class="skip" href="#main">Skip to content</a>
    <${Link} class="brand" to="/tasks"><span class="logo" aria-hidden="true" />Forebay<//>
    <nav aria-label="Main">
      ${NAVIGATION.map(
        ([to, label]) => html`<${Link} to=${to}
          aria-current=${path === to || path.startsWith(`${to}/`) ? "page" : undefined}>${label}<//>`,
      )}
    </nav>
    <div class="who">
      <span class="who-id" title=${session.secret_id}><${Icon} name="user" /><span>${session.secret_id}</span></span>
      <${ThemeButton} />
      <button type="button" class="button button-small button-quiet" onClick=${onSignOut}>Sign out</button>
    </div>
  </header>`;
}

function Away() {
  return html`<div class="away" role="alert">
    <${Icon} name="warning" />Forebay does not answer. What you see may be old; trying again by itself.
  </div>`;
}

function App() {
  const { path, query } = useLocation();
  const [session, setSession] = useState(undefined);
  const [ended, setEnded] = useState(false);
  const [problem, setProblem] = useState(null);
  const reachable = useReachable();
  const main = useRef(null);
  const before = useRef(path);

  const load = () => {
    setProblem(null);
    loadSession().catch(setProblem);
  };
  useEffect(() => {
    const stop = onSession((next) => {
      setSession((last) => {
        if (last && !next && location.pathname !== "/login") setEnded(true);
        return next;
      });
    });
    load();
    return stop;
  }, []);
  // A page may have moved on; a screen reader has to be told where it is.
  useEffect(() => {
    if (before.current !== path) main.current?.querySelector("h1")?.focus();
    before.current = path;
  }, [path]);
  useEffect(() => {
    if (session && path === "/") navigate("/tasks", { replace: true });
  }, [session, path]);

  if (problem) {
    return html`<main class="login" id="main"><${Problem} title="The console cannot start" error=${problem} onRetry=${load} /></main>`;
  }
  if (session === undefined) return html`<main class="login" id="main"><${Skeleton} /></main>`;
  if (session === null || path === "/login") {
    const onSignedIn = () => {
      setEnded(false);
      if (location.pathname === "/login") navigate("/tasks", { replace: true });
    };
    return html`<${LoginPage} ended=${ended && session === null} onSignedIn=${onSignedIn} />`;
  }
  return html`<${Header} path=${path} session=${currentSession()} />
    ${!reachable && html`<${Away} />`}
    <main id="main" ref=${main}><${Guarded} place=${`${path}?${query}`}>
      <${Page} path=${path} query=${query} />
    <//></main>
    <${Toasts} />`;
}

const root = document.getElementById("app");
root.replaceChildren();
render(html`<${App} />`, root);
