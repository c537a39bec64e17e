// System: this replica and the instances behind it.

import { html } from "../vendor/htm-preact.js";
import { get } from "./api.js";
import * as format from "./format.js";
import { useLive } from "./live.js";
import { Icon, PageHead, Problem, Skeleton, Time, useTitle } from "./parts.js";

const EVERY_MS = 2_000;

export function SystemPage() {
  useTitle("System");
  const { data, error, refresh } = useLive((signal) => get("/system", {}, signal), "system", EVERY_MS);
  return html`<${PageHead} title="System"><p class="subtitle">This replica, and the Kafka clusters behind it.</p><//>
    ${error && html`<${Problem} title="The system's state cannot be shown" error=${error} onRetry=${refresh} />`}
    ${data ? html`<${Panels} data=${data} />` : !error && html`<${Skeleton} lines=${8} />`}`;
}

function Mark({ good, children }) {
  return html`<span class="status status-${good ? "running" : "wrong"}"><span class="dot" />${children}</span>`;
}

function Panels({ data }) {
  const { replica, memory, registry } = data;
  const ready = replica.not_ready.length === 0;
  return html`<div class="panels">
    <section class="panel panel-third" aria-labelledby="replica-title">
      <h2 id="replica-title">Replica</h2>
      <p><${Mark} good=${ready}>${ready ? "Ready" : "Not ready"}<//></p>
      ${!ready && html`<ul class="reasons">${replica.not_ready.map((reason) => html`<li>${reason}</li>`)}</ul>`}
      <dl class="facts">
        <div><dt>Version</dt><dd>${replica.version}${replica.commit !== "unknown" && html` <span class="mono">${replica.commit}</span>`}</dd></div>
        <div><dt>Up for</dt><dd>${format.duration(replica.now_ms - replica.started_ms)}</dd></div>
        <div><dt>Started</dt><dd><${Time} ms=${replica.started_ms} /></dd></div>
        <div><dt>State</dt><dd>${replica.phase}</dd></div>
        <div><dt>API</dt><dd class="mono">${replica.api}</dd></div>
        <div><dt>Console</dt><dd class="mono">${replica.admin}</dd></div>
        <${Certificates} list=${data.certificates} now=${replica.now_ms} />
      </dl>
    </section>
    <section class="panel panel-third" aria-labelledby="memory-title">
      <h2 id="memory-title">Memory of requests</h2>
      <meter aria-label="Memory in flight" min="0" max=${memory.limit} high=${memory.limit * 0.8} value=${memory.in_flight} />
      <p><strong>${format.bytes(memory.in_flight)}</strong> in flight of <code>delivery.memory_limit</code> ${format.bytes(memory.limit)}</p>
      <p>${format.count(replica.requests_under_way)} requests under way</p>
    </section>
    <section class="panel panel-third" aria-labelledby="registry-title">
      <h2 id="registry-title">Tasks</h2>
      <dl class="facts">
        <div><dt>Running</dt><dd>${format.count(registry.running)}</dd></div>
        <div><dt>Paused</dt><dd>${format.count(registry.paused)}</dd></div>
        <div><dt>Registry</dt><dd><${Mark} good=${registry.loaded}>${registry.loaded ? "Loaded" : "Not read yet"}<//></dd></div>
        <div><dt>Confirmed</dt><dd>${registry.confirmed_ms_ago === null ? "never" : `${format.millis(registry.confirmed_ms_ago)} ago`}</dd></div>
      </dl>
    </section>
    <${Replicas} list=${data.replicas} now=${replica.now_ms} />
    ${data.instances.map((instance) => html`<${Instance} key=${instance.id} instance=${instance} />`)}
  </div>`;
}

/** Two signs of life may be missed before a replica counts as silent. */
const SILENT_MS = 95_000;

function Replicas({ list, now }) {
  if (list.length === 0) return null;
  return html`<section class="panel panel-wide" aria-labelledby="replicas-title">
    <h2 id="replicas-title">Replicas</h2>
    <div class="table-box" tabindex="0" role="region" aria-label="Table of replicas"><table class="plain">
      <caption class="visually-hidden">Replicas that share the tasks</caption>
      <thead><tr><th scope="col">Host and API</th><th scope="col">State</th><th scope="col">Version</th><th scope="col">Started</th><th scope="col">Last sign</th></tr></thead>
      <tbody>
        ${list.map((one) => {
          const silent = now - one.seen_ms > SILENT_MS;
          return html`<tr key=${one.name}>
            <td><span class="mono">${one.name}</span>${one.this && html` <span class="tag">this one</span>`}</td>
            <td><${Mark} good=${!silent}>${silent ? "Silent" : "There"}<//></td>
            <td>${one.version}</td>
            <td><${Time} ms=${one.started_ms} /></td>
            <td>${format.duration(now - one.seen_ms)} ago</td>
          </tr>`;
        })}
      </tbody>
    </table></div>
  </section>`;
}

function Certificates({ list, now }) {
  return list.map((one) => {
    const days = Math.floor((one.not_after_ms - now) / 86_400_000);
    return html`<div><dt>Certificate of ${one.listener}</dt><dd>
      <${Mark} good=${days >= 14}>expires in ${days} days<//> (<${Time} ms=${one.not_after_ms} />)
    </dd></div>`;
  });
}

function Instance({ instance }) {
  const id = `instance-${instance.id}`;
  return html`<section class="panel panel-wide" aria-labelledby=${id}>
    <h2 id=${id}><span class="mono">${instance.id}</span>
      ${instance.home && html` <span class="tag">tasks are kept here</span>`}
      ${instance.embedded && html` <span class="tag">embedded, for development</span>`}
      ${instance.compression && html` <span class="tag">${instance.compression}</span>`}
    </h2>
    <p><${Mark} good=${instance.reachable}>${instance.reachable ? "Reachable" : "Not reachable within the last minute"}<//></p>
    ${instance.problem && html`<p class="notice notice-warning"><${Icon} name="warning" />${instance.problem}</p>`}
    ${instance.brokers.length > 0 &&
    html`<div class="table-box" tabindex="0" role="region" aria-label="Brokers of ${instance.id}"><table class="plain">
      <caption class="visually-hidden">Brokers of ${instance.id}</caption>
      <thead><tr><th scope="col" class="number">Broker</th><th scope="col">Address</th><th scope="col">Produce connection</th></tr></thead>
      <tbody>
        ${instance.brokers.map(
          (broker) => html`<tr key=${broker.id}>
            <td class="number">${broker.id}</td><td class="mono">${broker.address}</td>
            <td>${broker.connected ? html`<${Icon} name="check" /> open` : "none yet"}</td>
          </tr>`,
        )}
      </tbody>
    </table></div>`}
  </section>`;
}
