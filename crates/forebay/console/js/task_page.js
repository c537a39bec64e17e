// Task Details: where to send to, how, and what becomes of it.

import { html, useState } from "../vendor/htm-preact.js";
import { currentSession, get, may } from "./api.js";
import { Charts } from "./charts.js";
import * as format from "./format.js";
import { useLive } from "./live.js";
import { CopyButton, Icon, PageHead, Problem, Skeleton, Status, Tabs, Time, useTitle } from "./parts.js";
import { Link, address, navigate } from "./router.js";
import { SendPanel } from "./send_panel.js";
import { LANGUAGES, REGION, endpoint, snippet } from "./snippets.js";
import { Delete, Edit, PauseOrResume } from "./task_actions.js";

const EVERY_MS = 1_000;
const PARTITIONS_EVERY_MS = 5_000;

export function TaskPage({ taskId, query }) {
  const load = (signal) => get(`/tasks/${encodeURIComponent(taskId)}`, {}, signal);
  const { data: task, error, refresh } = useLive(load, taskId, EVERY_MS);
  useTitle(task?.name ?? "Task Details");
  const gone = error && ["ResourceNotFound", "AuthFailure.UnauthorizedOperation"].includes(error.code);
  if (!task || gone) {
    return html`<${PageHead} title="Task Details" />
      ${error
        ? html`<${Problem} title="This task cannot be shown" error=${error} onRetry=${refresh} />
            <p><${Link} to="/tasks">All tasks<//></p>`
        : html`<${Skeleton} lines=${8} />`}`;
  }
  const actions = html`<${PauseOrResume} task=${task} onChanged=${refresh} />
    <${Edit} task=${task} onChanged=${refresh} />
    <${Delete} task=${task} onDeleted=${() => navigate("/tasks")} />`;
  return html`<nav aria-label="Breadcrumb" class="crumbs"><${Link} to="/tasks">Data Access<//></nav>
    <${PageHead} title=${task.name} actions=${actions}>
      <p class="subtitle"><${Status} status=${task.status} /> <span class="id">${task.task_id}</span></p>
      ${task.description && html`<p class="description">${task.description}</p>`}
    <//>
    ${task.warning && html`<p class="notice notice-warning"><${Icon} name="warning" />${task.warning}</p>`}
    <div class="panels">
      <${AccessPoint} task=${task} />
      <${Now} task=${task} />
      <${Connect} task=${task} query=${query} />
      <${SendPanel} task=${task} onSent=${refresh} />
      <section class="panel panel-wide" aria-labelledby="charts-title">
        <h2 id="charts-title">Last 15 minutes <span class="tag">this replica</span></h2>
        <${Charts} task=${task} />
      </section>
      <${Partitions} task=${task} />
    </div>`;
}

function Copyable({ name, value }) {
  return html`<div>
    <dt>${name}</dt>
    <dd class="copyable"><span class="mono">${value}</span><${CopyButton} text=${value} label="Copy ${name}" compact=${true} /></dd>
  </div>`;
}

function AccessPoint({ task }) {
  return html`<section class="panel" aria-labelledby="access-title">
    <h2 id="access-title">Access point</h2>
    <dl class="facts facts-copy">
      <${Copyable} name="DatahubId" value=${task.datahub_id} />
      <${Copyable} name="Endpoint" value=${endpoint().address} />
      <${Copyable} name="Protocol" value=${`${endpoint().scheme}://`} />
      <${Copyable} name="Region" value=${REGION} />
    </dl>
    <p class="hint">Any region will do. Credentials are those of the replica's credentials.toml.</p>
  </section>`;
}

function Now({ task }) {
  return html`<section class="panel" aria-labelledby="now-title">
    <h2 id="now-title">Now</h2>
    <div class="numbers">
      <div><span class="big">${format.rate(task.messages_per_second)}</span><span class="unit">messages/s</span></div>
      <div><span class="big">${format.bytes(task.bytes_per_second)}</span><span class="unit">per second</span></div>
      <div><span class="big">${format.millis(task.p99_ms)}</span><span class="unit">p99 to acknowledged</span></div>
    </div>
    <dl class="facts">
      <div><dt>Instance</dt><dd class="mono">${task.instance}</dd></div>
      <div><dt>Topic</dt><dd class="mono">${task.topic}</dd></div>
      <div><dt>QPS limit</dt><dd>${task.qps_limit === 0 ? "none" : `${format.count(task.qps_limit)} requests/s`}</dd></div>
      <div><dt>Created</dt><dd><${Time} ms=${task.created_ms} /></dd></div>
      ${task.tags.map((tag) => html`<div><dt>${tag.key}</dt><dd>${tag.value}</dd></div>`)}
    </dl>
  </section>`;
}

function Connect({ task, query }) {
  const asked = query.get("sdk");
  const [chosen, setChosen] = useState(LANGUAGES.some(([id]) => id === asked) ? asked : "python");
  const choose = (id) => {
    setChosen(id);
    navigate(address(`/tasks/${task.task_id}`, { sdk: id }), { replace: true });
  };
  const text = snippet(chosen, task.datahub_id);
  return html`<section class="panel" aria-labelledby="connect-title">
    <h2 id="connect-title">Send from a program</h2>
    <p class="hint">Give it the credentials in the environment: TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY.</p>
    <${Tabs} name="sdk" tabs=${LANGUAGES} chosen=${chosen} onChoose=${choose}>
      <pre class="snippet" tabindex="0" aria-label="Program">${text}</pre>
    <//>
    <div class="content-actions"><${CopyButton} text=${text} label="Copy program" /></div>
  </section>`;
}

function Partitions({ task }) {
  const { instance, topic } = task;
  const load = (signal) => get("/partitions", { instance, topic }, signal);
  const { data, error, refresh } = useLive(load, `${instance}/${topic}`, PARTITIONS_EVERY_MS);
  const reads = may("FetchMessageListByOffset");
  const messages = (partition, offset) => {
    const { home_instance: home } = currentSession();
    const where = { mode: "offset", instance: instance === home ? "" : instance, topic, partition, offset };
    return address("/messages", where);
  };
  return html`<section class="panel panel-wide" aria-labelledby="partitions-title">
    <h2 id="partitions-title">Partitions of <span class="mono">${topic}</span></h2>
    ${error && html`<${Problem} title="Kafka was not asked" error=${error} onRetry=${refresh} />`}
    ${!data && !error && html`<${Skeleton} />`}
    ${data &&
    html`<div class="table-box" tabindex="0" role="region" aria-label="Partitions with their offsets"><table class="plain">
        <caption class="visually-hidden">Partitions with their offsets</caption>
        <thead><tr>
          <th scope="col" class="number">Partition</th><th scope="col" class="number">First offset</th>
          <th scope="col" class="number">Next offset</th><th scope="col" class="number">Leader</th><th scope="col">Messages</th>
        </tr></thead>
        <tbody>
          ${data.partitions.map(
            (one) => html`<tr key=${one.partition}>
              <td class="number">${one.partition}</td><td class="number">${one.earliest}</td>
              <td class="number">${one.end}</td><td class="number">${one.leader ?? "none"}</td>
              <td>${reads && one.end > one.earliest
                ? html`<${Link} to=${messages(one.partition, Math.max(one.earliest, one.end - 20))}
                    aria-label="latest of partition ${one.partition}">latest<//>`
                : "–"}</td>
            </tr>`,
          )}
        </tbody>
      </table></div>
      ${data.count > data.partitions.length &&
      html`<p class="hint">The first ${data.partitions.length} of ${data.count} partitions.</p>`}`}
  </section>`;
}
