// Querying Message: by MessageId, by place, by time, or the latest.

import { html, useEffect, useMemo, useState } from "../vendor/htm-preact.js";
import { Refusal, act, currentSession, get, may } from "./api.js";
import { useLive } from "./live.js";
import { parse } from "./message_id.js";
import { Message, Preview } from "./message_view.js";
import { Empty, Field, Icon, PageHead, Problem, Skeleton, Time, described, useTitle } from "./parts.js";
import { address, navigate } from "./router.js";
import { useTopics } from "./topics.js";

/** The API's own most for a list. */
const LISTED = 20;
/** Partitions that "latest of all" looks at. */
const LOOKED_AT = 32;

const MODES = [
  ["id", "MessageId"],
  ["offset", "Offset"],
  ["time", "Time"],
  ["latest", "Latest"],
];

function read(query) {
  const text = (name) => query.get(name) ?? "";
  const number = (name) => (/^\d{1,15}$/.test(text(name)) ? text(name) : "");
  return {
    mode: MODES.some(([mode]) => mode === text("mode")) ? text("mode") : text("topic") ? "offset" : "id",
    id: text("id"),
    instance: text("instance") || currentSession().home_instance,
    topic: text("topic"),
    partition: number("partition"),
    offset: number("offset"),
    since: Number.isNaN(Date.parse(text("since"))) ? "" : text("since"),
    open: text("open"),
  };
}

function write(asked) {
  const { mode } = asked;
  if (mode === "id") return address("/messages", { mode, id: asked.id });
  const { home_instance: home } = currentSession();
  return address("/messages", {
    mode,
    instance: asked.instance === home ? "" : asked.instance,
    topic: asked.topic,
    partition: asked.partition,
    offset: mode === "offset" ? asked.offset : "",
    since: mode === "time" ? asked.since : "",
    open: asked.open,
  });
}

/** Whether there is enough to ask. */
function complete(asked) {
  if (asked.mode === "id") return asked.id !== "";
  return asked.topic !== "" && (asked.mode !== "offset" || asked.partition !== "");
}

async function listFrom({ instance, topic }, partition, offset, signal) {
  const where = { InstanceId: instance, Topic: topic, Partition: partition, Offset: offset };
  const query = { ...where, SinglePartitionRecordNumber: LISTED };
  const answer = await act("FetchMessageListByOffset", query, signal);
  return answer.Result;
}

async function latest(asked, signal) {
  const { instance, topic } = asked;
  const { partitions } = await get("/partitions", { instance, topic }, signal);
  const wanted = partitions
    .filter((one) => asked.partition === "" || one.partition === Number(asked.partition))
    .filter((one) => one.end > one.earliest)
    .slice(0, LOOKED_AT);
  const lists = [];
  for (const one of wanted) {
    const from = Math.max(one.earliest, one.end - LISTED);
    lists.push(...(await listFrom(asked, one.partition, from, signal)));
  }
  return lists
    .sort((a, b) => b.Timestamp - a.Timestamp || b.Offset - a.Offset)
    .slice(0, asked.partition === "" ? 2 * LISTED : LISTED);
}

async function byTime(asked, signal) {
  const query = { InstanceId: asked.instance, Topic: asked.topic, SinglePartitionRecordNumber: LISTED };
  if (asked.partition !== "") query.Partition = Number(asked.partition);
  if (asked.since !== "") query.StartTime = new Date(asked.since).getTime();
  const answer = await act("FetchMessageListByTimestamp", query, signal);
  return answer.Result.sort((a, b) => a.Timestamp - b.Timestamp || a.Offset - b.Offset);
}

async function byId(asked, signal) {
  const id = parse(asked.id);
  if (!id) {
    const form = "<access point>:<topic>:<partition>:<offset>:<received>:<sent>";
    throw new Refusal("NotAMessageId", `A MessageId has the form ${form}.`);
  }
  // Which instance it is on the task knows, if it is still there.
  let instance = currentSession().home_instance;
  if (may("DescribeDatahubTask")) {
    const task = id.datahubId.replace("datahub-", "task-");
    const found = await get(`/tasks/${task}`, {}, signal).catch((error) => {
      if (error instanceof Refusal) return null;
      throw error;
    });
    instance = found?.instance ?? instance;
  }
  const where = { InstanceId: instance, Topic: id.topic, Partition: id.partition, Offset: id.offset };
  const answer = await act("FetchMessageByOffset", where, signal);
  return { one: answer.Result, id };
}

/** Asks what the address says. Gives { one, id } or { list }. */
async function ask(asked, signal) {
  switch (asked.mode) {
    case "id":
      return byId(asked, signal);
    case "time":
      return { list: await byTime(asked, signal) };
    case "latest":
      return { list: await latest(asked, signal) };
    default: {
      const from = asked.offset === "" ? 0 : Number(asked.offset);
      if (asked.offset !== "") return { list: await listFrom(asked, Number(asked.partition), from, signal) };
      const { instance, topic } = asked;
      const { partitions } = await get("/partitions", { instance, topic }, signal);
      const log = partitions.find((one) => one.partition === Number(asked.partition));
      return { list: await listFrom(asked, Number(asked.partition), log?.earliest ?? 0, signal) };
    }
  }
}

export function MessagesPage({ query }) {
  useTitle("Querying Message");
  const asked = read(query);
  const key = JSON.stringify({ ...asked, open: "" });
  return html`<${PageHead} title="Querying Message">
      <p class="subtitle">What was acknowledged, as it lies in the topic.</p>
    <//>
    <${Form} asked=${asked} key=${key} />
    ${complete(asked) && html`<${Result} asked=${asked} key="result ${key}" />`}`;
}

function Form({ asked }) {
  const [form, setForm] = useState(asked);
  const set = (change) => setForm((before) => ({ ...before, ...change }));
  const { instances } = currentSession();
  const topics = useTopics(form.instance);
  const count = usePartitionCount(form.instance, form.topic, topics);
  const onSubmit = (event) => {
    event.preventDefault();
    const to = write({ ...form, id: form.id.trim(), topic: form.topic.trim(), open: "" });
    if (to === location.pathname + location.search) dispatchEvent(new Event("ask-again"));
    navigate(to);
  };
  return html`<form class="panel query" onSubmit=${onSubmit}>
    <div class="segments" role="group" aria-label="Look for messages by">
      ${MODES.map(
        ([mode, label]) => html`<button type="button" aria-pressed=${form.mode === mode ? "true" : "false"}
          onClick=${() => set({ mode })}>${label}</button>`,
      )}
    </div>
    ${form.mode === "id"
      ? html`<${Field} id="message-id" label="MessageId" hint="Paste one that SendMessage returned.">
          <input ...${described("message-id", { hint: true })} class="mono" required spellcheck=${false}
            autocapitalize="off" value=${form.id} onInput=${(event) => set({ id: event.target.value })} />
        <//>`
      : html`<div class="fields">
          ${instances.length > 1 &&
          html`<${Field} id="instance" label="Instance">
            <select id="instance" value=${form.instance} onChange=${(event) => set({ instance: event.target.value })}>
              ${instances.map((id) => html`<option value=${id} selected=${id === form.instance}>${id}</option>`)}
            </select>
          <//>`}
          <${Field} id="topic" label="Topic">
            <input id="topic" class="mono" required list="topics" spellcheck=${false} autocapitalize="off"
              autocomplete="off" value=${form.topic} onInput=${(event) => set({ topic: event.target.value })} />
            <datalist id="topics">${topics.map((topic) => html`<option value=${topic} />`)}</datalist>
          <//>
          <${Partition} form=${form} set=${set} count=${count} />
          ${form.mode === "offset" &&
          html`<${Field} id="offset" label="From offset" hint="Empty: the first that is there." >
            <input ...${described("offset", { hint: true })} type="number" min="0" step="1" inputmode="numeric"
              value=${form.offset} onInput=${(event) => set({ offset: event.target.value })} />
          <//>`}
          ${form.mode === "time" &&
          html`<${Field} id="since" label="Since" hint="Your local time. Empty: from the beginning.">
            <input ...${described("since", { hint: true })} type="datetime-local" step="1"
              value=${form.since} onInput=${(event) => set({ since: event.target.value })} />
          <//>`}
        </div>`}
    <div class="form-actions">
      <button type="submit" class="button button-primary"><${Icon} name="search" />Query</button>
    </div>
  </form>`;
}

function Partition({ form, set, count }) {
  const needed = form.mode === "offset";
  const onInput = (event) => set({ partition: event.target.value });
  return html`<${Field} id="partition" label="Partition">
    ${count === null
      ? html`<input id="partition" type="number" min="0" step="1" inputmode="numeric" required=${needed}
          placeholder=${needed ? "" : "All"} value=${form.partition} onInput=${onInput} />`
      : html`<select id="partition" required=${needed} onChange=${onInput}>
          <option value="" selected=${form.partition === ""} disabled=${needed}>${needed ? "Choose" : "All"}</option>
          ${Array.from({ length: count }, (_, index) => html`<option value=${index}
            selected=${form.partition === String(index)}>${index}</option>`)}
        </select>`}
  <//>`;
}

/** How many partitions a topic has, once its name is one that is known. */
function usePartitionCount(instance, topic, topics) {
  const [found, setFound] = useState({ of: "", count: null });
  const of = topics.includes(topic) ? `${instance}/${topic}` : "";
  useEffect(() => {
    if (of === "") return undefined;
    const abort = new AbortController();
    get("/partitions", { instance, topic }, abort.signal)
      .then(({ count }) => setFound({ of, count }))
      .catch(() => setFound({ of, count: null }));
    return () => abort.abort();
  }, [of]);
  return found.of === of && of !== "" ? found.count : null;
}

function Result({ asked }) {
  const { data, error, loading, refresh } = useLive((signal) => ask(asked, signal), "once", 0);
  useEffect(() => {
    addEventListener("ask-again", refresh);
    return () => removeEventListener("ask-again", refresh);
  }, [refresh]);
  if (error) return html`<${Problem} title="No message to show" error=${error} onRetry=${refresh} />`;
  if (loading) return html`<${Skeleton} lines=${5} />`;
  if (data.one) {
    return html`<section class="panel" aria-label="Message"><h2 class="visually-hidden">Message</h2><${Message} record=${data.one} sent=${data.id} /></section>`;
  }
  if (data.list.length === 0) {
    return html`<${Empty} title="There is no message here"><p>The log ends before this place.</p><//>`;
  }
  return html`<${List} asked=${asked} list=${data.list} />`;
}

function List({ asked, list }) {
  const place = (record) => `${record.Partition}-${record.Offset}`;
  const chosen = useMemo(() => list.find((record) => place(record) === asked.open), [list, asked.open]);
  const open = (record) => {
    const next = place(record) === asked.open ? "" : place(record);
    navigate(write({ ...asked, open: next }), { replace: true });
  };
  const last = list[list.length - 1];
  const step = (offset) => navigate(write({ ...asked, offset: String(Math.max(0, offset)), open: "" }));
  return html`<div class="messages ${chosen ? "messages-open" : ""}">
    <div>
      <div class="table-box">
        <table class="list">
          <caption class="visually-hidden">Messages</caption>
          <thead><tr>
            <th scope="col" class="number">Part.</th><th scope="col" class="number">Offset</th>
            <th scope="col">Time</th><th scope="col">Key</th><th scope="col">Value</th>
          </tr></thead>
          <tbody>
            ${list.map(
              (record) => html`<tr key=${place(record)} class=${record === chosen ? "chosen" : ""}>
                <td class="number">${record.Partition}</td>
                <td class="number"><button type="button" class="link mono" aria-expanded=${record === chosen ? "true" : "false"}
                  onClick=${() => open(record)} aria-label="Show partition ${record.Partition}, offset ${record.Offset}">${record.Offset}</button></td>
                <td><${Time} ms=${record.Timestamp} precise=${true} /></td>
                <td class="mono clip"><${Preview} text=${record.Key} encoding=${record.KeyEncoding} /></td>
                <td class="mono clip"><${Preview} text=${record.Value} encoding=${record.ValueEncoding} /></td>
              </tr>`,
            )}
          </tbody>
        </table>
      </div>
      ${asked.mode === "offset" &&
      html`<nav class="pager" aria-label="Offsets">
        <button type="button" class="button button-small" disabled=${list[0].Offset === 0}
          onClick=${() => step(list[0].Offset - LISTED)}>Earlier</button>
        <span>${list[0].Offset}–${last.Offset}</span>
        <button type="button" class="button button-small" disabled=${list.length < LISTED}
          onClick=${() => step(last.Offset + 1)}>Later</button>
      </nav>`}
    </div>
    ${chosen &&
    html`<section class="panel" aria-label="Message"><h2 class="visually-hidden">Message</h2><${Message} key=${place(chosen)} record=${chosen} /></section>`}
  </div>`;
}
