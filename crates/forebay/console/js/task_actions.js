// What can be done with a task, as buttons: the same in the table and on the
// task's own page.

import { html, useState } from "../vendor/htm-preact.js";
import { act, may } from "./api.js";
import { Dialog, TypedConfirmation } from "./dialogs.js";
import { Field, Icon, Problem, described } from "./parts.js";
import { done, failed } from "./toasts.js";

async function change(task, action, title, text, onChanged) {
  try {
    await act(action, { TaskId: task.task_id });
    done(title, text);
  } catch (error) {
    failed(`${task.name} was not changed`, error);
  }
  onChanged();
}

/** Pause or Resume, whichever there is. */
export function PauseOrResume({ task, onChanged }) {
  const [busy, setBusy] = useState(false);
  const running = task.status === "running";
  const action = running ? "PauseDatahubTask" : "ResumeDatahubTask";
  if (!may(action)) return null;
  const onClick = async () => {
    setBusy(true);
    const [title, text] = running
      ? ["Task paused", `${task.name} takes no more messages.`]
      : ["Task resumed", `${task.name} takes messages again.`];
    await change(task, action, title, text, onChanged);
    setBusy(false);
  };
  return html`<button
    type="button"
    class="button button-small"
    disabled=${busy}
    onClick=${onClick}
    aria-label="${running ? "Pause" : "Resume"} ${task.name}"
  >
    <${Icon} name=${running ? "pause" : "play"} />${running ? "Pause" : "Resume"}
  </button>`;
}

export function DeleteButton({ task, onClick }) {
  if (!may("DeleteDatahubTask")) return null;
  return html`<button
    type="button"
    class="button button-small button-quiet-danger"
    onClick=${onClick}
    aria-label="Delete ${task.name}"
  >
    <${Icon} name="trash" />Delete
  </button>`;
}

export function DeleteDialog({ task, onClose, onDeleted }) {
  const onConfirm = async () => {
    await act("DeleteDatahubTask", { TaskId: task.task_id });
    onClose();
    done("Task deleted", `${task.name} is gone; its topic and messages stay.`);
    onDeleted();
  };
  return html`<${TypedConfirmation}
    title="Delete this task?"
    word=${task.name}
    verb="Delete task"
    onConfirm=${onConfirm}
    onClose=${onClose}
  >
    <p>
      Whoever sends to <code>${task.datahub_id}</code> is refused from then on, and the access
      point never comes back. The topic <code>${task.topic}</code> and its messages stay.
    </p>
  <//>`;
}

export function Delete({ task, onDeleted }) {
  const [asking, setAsking] = useState(false);
  return html`<${DeleteButton} task=${task} onClick=${() => setAsking(true)} />
    ${asking && html`<${DeleteDialog} task=${task} onClose=${() => setAsking(false)} onDeleted=${onDeleted} />`}`;
}

export function Edit({ task, onChanged }) {
  const [open, setOpen] = useState(false);
  if (!may("ModifyDatahubTask")) return null;
  return html`<button type="button" class="button button-small" onClick=${() => setOpen(true)}>
      <${Icon} name="edit" />Edit
    </button>
    ${open &&
    html`<${EditDialog} task=${task} onClose=${() => setOpen(false)} onChanged=${onChanged} />`}`;
}

function EditDialog({ task, onClose, onChanged }) {
  const [name, setName] = useState(task.name);
  const [description, setDescription] = useState(task.description);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const onSubmit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const changed = { TaskId: task.task_id, TaskName: name.trim(), Description: description };
      await act("ModifyDatahubTask", changed);
      done("Task changed", name.trim());
      onClose();
      onChanged();
    } catch (refusal) {
      setError(refusal);
      setBusy(false);
    }
  };
  return html`<${Dialog} title="Edit task" onClose=${onClose}>
    <form onSubmit=${onSubmit}>
      <${Field} id="edit-name" label="Name">
        <input
          ...${described("edit-name", {})}
          required
          maxlength="64"
          value=${name}
          onInput=${(event) => setName(event.target.value)}
        />
      <//>
      <${Field} id="edit-description" label="Description" optional=${true}>
        <textarea
          ...${described("edit-description", {})}
          rows="3"
          value=${description}
          onInput=${(event) => setDescription(event.target.value)}
        />
      <//>
      ${error && html`<${Problem} title="Not changed" error=${error} />`}
      <footer>
        <button type="button" class="button" onClick=${onClose}>Cancel</button>
        <button type="submit" class="button button-primary" disabled=${busy}>Save</button>
      </footer>
    </form>
  <//>`;
}
