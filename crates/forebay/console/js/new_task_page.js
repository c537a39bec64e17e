// New task: an access point for a topic that is there, or for a new one.

import { html, useRef, useState } from "../vendor/htm-preact.js";
import { act, currentSession, may, mayCreate } from "./api.js";
import { Field, PageHead, Problem, described, useTitle } from "./parts.js";
import { Link, navigate } from "./router.js";
import { done } from "./toasts.js";
import { useTopics } from "./topics.js";

const HOUR_MS = 3_600_000;
const RETENTIONS = [
  [HOUR_MS, "1 hour"],
  [24 * HOUR_MS, "1 day"],
  [72 * HOUR_MS, "3 days"],
  [168 * HOUR_MS, "7 days"],
  [720 * HOUR_MS, "30 days"],
];

const NAME = /^[A-Za-z][A-Za-z0-9._-]{0,63}$/;
const TOPIC = /^(?!__)(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/;

/** What a person can see is wrong before anybody is asked. */
function check(form) {
  const wrong = {};
  if (!NAME.test(form.name)) {
    wrong.name = "A letter, then up to 63 letters, digits, '-', '.' or '_'.";
  }
  if (!TOPIC.test(form.topic)) {
    wrong.topic = form.topic.startsWith("__")
      ? "Topics whose name begins with '__' are internal."
      : "1 to 249 letters, digits, '.', '_' or '-'.";
  }
  const partitions = Number(form.partitions);
  if (form.kind === "new" && !(Number.isInteger(partitions) && partitions >= 1 && partitions <= 500)) {
    wrong.partitions = "A number from 1 to 500.";
  }
  const limit = Number(form.qpsLimit);
  if (form.qpsLimit !== "" && !(Number.isSafeInteger(limit) && limit >= 0)) {
    wrong.qpsLimit = "A whole number; 0 or nothing is no limit.";
  }
  return wrong;
}

/** At which field a refusal belongs; "" is the whole form. */
function fieldOf(error) {
  if (error.code === "InvalidParameterValue.RepetitionValue") return "name";
  if (error.code === "InvalidParameterValue.InstanceNotExist") return "instance";
  const fields = [
    [/TaskName/, "name"],
    [/PartitionNum/, "partitions"],
    [/RetentionMs/, "retention"],
    [/QpsLimit/, "qpsLimit"],
    [/Description/, "description"],
    [/instance/i, "instance"],
    [/topic|^Name\b|Resource/i, "topic"],
  ];
  return fields.find(([pattern]) => pattern.test(error.message))?.[1] ?? "";
}

/** `made`: topics that this form has made already, before something else failed. */
async function create(form, made) {
  const { home_instance: home } = currentSession();
  const isNew = form.kind === "new";
  const partitions = Number(form.partitions);
  if (isNew && form.instance === home && may("CreateDatahubTopic") && !made.has(form.topic)) {
    const topic = { Name: form.topic, PartitionNum: partitions, RetentionMs: Number(form.retention) };
    await act("CreateDatahubTopic", topic);
    made.add(form.topic);
  }
  const kafka = { SelfBuilt: false, Resource: form.instance, Topic: form.topic };
  if (isNew) Object.assign(kafka, { UseAutoCreateTopic: true, PartitionNum: partitions });
  if (form.qpsLimit !== "") kafka.QpsLimit = Number(form.qpsLimit);
  const answer = await act("CreateDatahubTask", {
    TaskName: form.name,
    TaskType: "SOURCE",
    SourceResource: { Type: "HTTP" },
    TargetResource: { Type: "KAFKA", KafkaParam: kafka },
    Description: form.description,
  });
  return answer.Result.TaskId;
}

function TopicFields({ form, setForm, set, input, wrong }) {
  const topics = useTopics(form.instance);
  const isHome = form.instance === currentSession().home_instance;
  return html`<fieldset>
    <legend>Topic</legend>
    <div class="segments" role="group" aria-label="Which topic">
      ${[["existing", "Existing"], ["new", "New"]].map(
        ([kind, label]) => html`<button type="button" aria-pressed=${form.kind === kind ? "true" : "false"}
          onClick=${() => setForm((before) => ({ ...before, kind }))}>${label}</button>`,
      )}
    </div>
    <${Field} id="topic" label="Topic name" error=${wrong.topic}>
      ${input("topic", { class: "mono", maxlength: 249, autocomplete: "off", spellcheck: false, autocapitalize: "off", list: form.kind === "existing" ? "known-topics" : undefined })}
      <datalist id="known-topics">${topics.map((topic) => html`<option value=${topic} />`)}</datalist>
    <//>
    ${form.kind === "new" &&
    html`<div class="fields">
      <${Field} id="partitions" label="Partitions" error=${wrong.partitions} hint="They can grow later, never shrink.">
        ${input("partitions", { hint: true, type: "number", min: 1, max: 500, step: 1, inputmode: "numeric" })}
      <//>
      <${Field} id="retention" label="Retention" error=${wrong.retention}
        hint=${isHome ? "Messages older than this go." : "On this instance the cluster's own."}>
        <select ...${described("retention", { hint: true, error: wrong.retention })} onChange=${set("retention")}
          disabled=${!isHome}>
          ${RETENTIONS.map(([ms, label]) => html`<option value=${ms} selected=${String(ms) === form.retention}>${label}</option>`)}
        </select>
      <//>
    </div>`}
  </fieldset>`;
}

export function NewTaskPage() {
  useTitle("New task");
  if (mayCreate()) return html`<${NewTask} />`;
  const told = { message: "The credential that is signed in may not create tasks." };
  return html`<${PageHead} title="New task" />
    <${Problem} title="No new task" error=${told} />
    <p><${Link} to="/tasks">All tasks<//></p>`;
}

function NewTask() {
  const { instances, home_instance: home } = currentSession();
  const [form, setForm] = useState({
    name: "",
    description: "",
    instance: home,
    kind: "existing",
    topic: "",
    partitions: "4",
    retention: String(168 * HOUR_MS),
    qpsLimit: "",
  });
  const [wrong, setWrong] = useState({});
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const made = useRef(new Set());
  const set = (name) => (event) => {
    setForm((before) => ({ ...before, [name]: event.target.value }));
    setWrong(({ [name]: _, ...rest }) => rest);
  };
  const fail = (fields) => {
    setWrong(fields);
    setBusy(false);
    const first = Object.keys(fields)[0];
    if (first) setTimeout(() => document.getElementById(first)?.focus(), 0);
  };
  const onSubmit = async (event) => {
    event.preventDefault();
    setProblem(null);
    const asked = { ...form, name: form.name.trim(), topic: form.topic.trim() };
    const fields = check(asked);
    if (Object.keys(fields).length > 0) return fail(fields);
    setBusy(true);
    try {
      const taskId = await create(asked, made.current);
      done("Task created", asked.name);
      return navigate(`/tasks/${taskId}`);
    } catch (error) {
      const field = fieldOf(error);
      if (!field) setProblem(error);
      return fail(field ? { [field]: `${error.message} (${error.code})` } : {});
    }
  };
  const input = (name, props) => html`<input ...${described(name, { hint: props.hint, error: wrong[name] })}
    ...${{ ...props, hint: undefined }} value=${form[name]} onInput=${set(name)} />`;

  return html`<${PageHead} title="New task"><p class="subtitle">Programs send to its access point; it writes to one topic.</p><//>
    <form class="panel form" onSubmit=${onSubmit} novalidate>
      <${Field} id="name" label="Name" error=${wrong.name} hint="Unique among the tasks.">
        ${input("name", { hint: true, maxlength: 64, autocomplete: "off", spellcheck: false })}
      <//>
      <${Field} id="description" label="Description" optional=${true} error=${wrong.description}>
        <textarea ...${described("description", { error: wrong.description })} rows="2"
          value=${form.description} onInput=${set("description")} />
      <//>
      <${Field} id="instance" label="Instance" error=${wrong.instance}>
        <select ...${described("instance", { error: wrong.instance })} onChange=${set("instance")}>
          ${instances.map((id) => html`<option value=${id} selected=${id === form.instance}>${id}</option>`)}
        </select>
      <//>
      <${TopicFields} form=${form} setForm=${setForm} set=${set} input=${input} wrong=${wrong} />
      <${Field} id="qpsLimit" label="QPS limit" optional=${true} error=${wrong.qpsLimit}
        hint="Requests per second on each replica; 0 or nothing is no limit.">
        ${input("qpsLimit", { hint: true, type: "number", min: 0, step: 1, inputmode: "numeric" })}
      <//>
      ${problem && html`<${Problem} title="The task was not created" error=${problem} />`}
      <div class="form-actions">
        <${Link} class="button" to="/tasks">Cancel<//>
        <button type="submit" class="button button-primary" disabled=${busy}>${busy ? "Creating …" : "Create task"}</button>
      </div>
    </form>`;
}
