// Data Access: all tasks.

import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { get, mayCreate } from "./api.js";
import * as format from "./format.js";
import { useLive } from "./live.js";
import { Empty, Icon, PageHead, Problem, Skeleton, Status, Time, useTitle } from "./parts.js";
import { Link, address, navigate } from "./router.js";
import { DeleteButton, DeleteDialog, PauseOrResume } from "./task_actions.js";

const EVERY_MS = 1_000;
const PAGE = 20;
const MOST_PAGES = 1_000_000;

const COLUMNS = [
  ["name", "Task"],
  ["status", "Status"],
  ["target", "Instance and topic"],
  ["rate", "Messages/s", "number"],
  ["p99", "p99", "number"],
  ["created", "Created"],
];

/** What the address says to show; defaults are left out of it. */
function read(query) {
  const page = Number.parseInt(query.get("page") ?? "1", 10);
  // Addresses are typed and cut, too: what makes no sense is the default.
  const one = (name, choices, otherwise) => (choices.includes(query.get(name)) ? query.get(name) : otherwise);
  return {
    search: query.get("search") ?? "",
    status: one("status", ["running", "paused"], ""),
    sort: one("sort", COLUMNS.map(([column]) => column), "created"),
    descending: query.get("order") !== "asc",
    page: page > 0 ? Math.min(page, MOST_PAGES) : 1,
  };
}

function write(shown) {
  return address("/tasks", {
    search: shown.search,
    status: shown.status,
    sort: shown.sort === "created" ? "" : shown.sort,
    order: shown.descending ? "" : "asc",
    page: shown.page > 1 ? shown.page : "",
  });
}

export function TasksPage({ query }) {
  useTitle("Data Access");
  const shown = read(query);
  const show = (change, options) => navigate(write({ ...shown, page: 1, ...change }), options);
  const { page, ...filter } = shown;
  const { data, error, loading, refresh } = useLive(
    (signal) =>
      get("/tasks", { ...filter, offset: (page - 1) * PAGE, limit: PAGE }, signal),
    JSON.stringify(shown),
    EVERY_MS,
  );
  // While the next page or order is on its way the one before stays.
  const [last, setLast] = useState(null);
  useEffect(() => {
    if (data) setLast(data);
  }, [data]);
  const seen = data ?? last;

  return html`<${PageHead}
      title="Data Access"
      actions=${mayCreate() &&
      html`<${Link} class="button button-primary" to="/new-task"><${Icon} name="plus" />New task<//>`}
    >
      <p class="subtitle">Each task takes messages at its access point and writes them to a topic.</p>
    <//>
    <${Toolbar} shown=${shown} counts=${seen} show=${show} />
    ${error && html`<${Problem} title="The tasks cannot be shown" error=${error} onRetry=${refresh} />`}
    ${seen && !seen.loaded && html`<p class="notice" role="status">
      The tasks have not been read from Kafka yet.
    </p>`}
    ${seen
      ? html`<${Table} data=${seen} shown=${shown} show=${show} busy=${loading} refresh=${refresh} />`
      : !error && html`<${Skeleton} lines=${6} />`}`;
}

function Toolbar({ shown, counts, show }) {
  // The address is the field's only state: a copy that follows it later would
  // take back what was typed in the meantime.
  const onInput = (event) => show({ search: event.target.value }, { replace: true });
  const choices = [
    ["", "All", counts && counts.running + counts.paused],
    ["running", "Running", counts?.running],
    ["paused", "Paused", counts?.paused],
  ];
  return html`<div class="toolbar">
    <div class="search">
      <${Icon} name="search" />
      <input
        type="search"
        aria-label="Search tasks"
        placeholder="Name, id, topic or instance"
        value=${shown.search}
        onInput=${onInput}
      />
    </div>
    <div class="segments" role="group" aria-label="Status">
      ${choices.map(
        ([status, label, number]) => html`<button
          type="button"
          aria-pressed=${shown.status === status ? "true" : "false"}
          onClick=${() => show({ status })}
        >
          ${label}<span class="segment-count">${number ?? ""}</span>
        </button>`,
      )}
    </div>
  </div>`;
}

function Table({ data, shown, show, busy, refresh }) {
  // Not the row's: a row may move to another page while somebody types.
  const [deleting, setDeleting] = useState(null);
  const onDeleted = () => {
    refresh();
    // The button that had the focus goes with its row.
    document.querySelector("main h1")?.focus();
  };
  const dialog = deleting &&
    html`<${DeleteDialog} task=${deleting} onClose=${() => setDeleting(null)} onDeleted=${onDeleted} />`;
  return html`<${Rows} ...${{ data, shown, show, busy, refresh, setDeleting }} />${dialog}`;
}

function Rows({ data, shown, show, busy, refresh, setDeleting }) {
  if (data.tasks.length === 0) return html`<${Nothing} data=${data} shown=${shown} />`;
  const sortBy = (column) =>
    show({ sort: column, descending: shown.sort === column ? !shown.descending : column !== "name" });
  return html`<div class="table-box" aria-busy=${busy ? "true" : "false"}>
      <table class="cards">
        <caption class="visually-hidden">Tasks</caption>
        <thead>
          <tr>
            ${COLUMNS.map(
              ([column, label, kind]) => html`<${SortableHead}
                label=${label}
                kind=${kind}
                sorted=${shown.sort === column ? (shown.descending ? "descending" : "ascending") : ""}
                onSort=${() => sortBy(column)}
              />`,
            )}
            <th scope="col" class="operation">Operation</th>
          </tr>
        </thead>
        <tbody>
          ${data.tasks.map((task) => html`<${Row} key=${task.task_id} task=${task} refresh=${refresh} onDelete=${() => setDeleting(task)} />`)}
        </tbody>
      </table>
    </div>
    <${Pager} total=${data.total} page=${shown.page} show=${show} />`;
}

function SortableHead({ label, kind, sorted, onSort }) {
  return html`<th scope="col" class=${kind} aria-sort=${sorted || undefined}>
    <button type="button" class="sort" onClick=${onSort}>
      ${label}${sorted && html`<${Icon} name=${sorted === "descending" ? "down" : "up"} />`}
    </button>
  </th>`;
}

function Row({ task, refresh, onDelete }) {
  return html`<tr>
    <td data-label="Task">
      <${Link} class="task-name" to="/tasks/${task.task_id}">${task.name}<//>
      <span class="id">${task.task_id}</span>
    </td>
    <td data-label="Status">
      <${Status} status=${task.status} />
      ${task.warning &&
      html`<span class="warn-mark" title=${task.warning}>
        <${Icon} name="warning" /><span class="visually-hidden">${task.warning}</span>
      </span>`}
    </td>
    <td data-label="Topic">
      <span class="topic">${task.topic}</span>
      <span class="id">${task.instance}</span>
    </td>
    <td data-label="Messages/s" class="number">${format.rate(task.messages_per_second)}</td>
    <td data-label="p99" class="number">${format.millis(task.p99_ms)}</td>
    <td data-label="Created"><${Time} ms=${task.created_ms} /></td>
    <td data-label="Operation" class="operation">
      <div class="operations">
        <${PauseOrResume} task=${task} onChanged=${refresh} />
        <${DeleteButton} task=${task} onClick=${onDelete} />
        <${Link}
          class="button button-small button-quiet"
          to="/tasks/${task.task_id}"
          aria-label="Details of ${task.name}"
        >Details<//>
      </div>
    </td>
  </tr>`;
}

function Nothing({ data, shown }) {
  if (shown.page > 1) {
    return html`<${Empty} title="This page is empty now">
      <${Link} class="button" to=${write({ ...shown, page: 1 })}>First page<//>
    <//>`;
  }
  if (data.running + data.paused > 0) {
    return html`<${Empty} title="No task fits">
      <${Link} class="button" to="/tasks">Show all tasks<//>
    <//>`;
  }
  return html`<${Empty} title="There is no task yet">
    <p>A task gives programs an access point to send messages to.</p>
    ${mayCreate() &&
    html`<${Link} class="button button-primary" to="/new-task"><${Icon} name="plus" />New task<//>`}
  <//>`;
}

function Pager({ total, page, show }) {
  const pages = Math.max(1, Math.ceil(total / PAGE));
  const first = (page - 1) * PAGE + 1;
  return html`<nav class="pager" aria-label="Pages">
    <span>${format.count(first)}–${format.count(Math.min(total, page * PAGE))} of ${format.count(total)}</span>
    ${pages > 1 &&
    html`<button type="button" class="button button-small" disabled=${page <= 1}
        onClick=${() => show({ page: page - 1 })}>Previous</button>
      <span>Page ${page} of ${pages}</span>
      <button type="button" class="button button-small" disabled=${page >= pages}
        onClick=${() => show({ page: page + 1 })}>Next</button>`}
  </nav>`;
}
