// Sends a test message, and links its MessageId to the query.

import { html, useState } from "../vendor/htm-preact.js";
import { act, may } from "./api.js";
import { CopyButton, Field, Icon, Problem, described } from "./parts.js";
import { Link, address } from "./router.js";

const KEPT = 5;

export function SendPanel({ task, onSent }) {
  const [key, setKey] = useState("");
  const [body, setBody] = useState('{"hello": "Forebay"}');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const [sent, setSent] = useState([]);
  if (!may("SendMessage")) return null;
  const onSubmit = async (event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      const message = key === "" ? { Body: body } : { Key: key, Body: body };
      const { MessageId: ids } = await act("SendMessage", { DataHubId: task.datahub_id, Message: [message] });
      setSent((before) => [...ids, ...before].slice(0, KEPT));
      onSent();
    } catch (refusal) {
      setError(refusal);
    }
    setBusy(false);
  };
  return html`<section class="panel" aria-labelledby="send-title">
    <h2 id="send-title">Send a test message</h2>
    <form onSubmit=${onSubmit}>
      <${Field} id="send-key" label="Key" optional=${true}>
        <input ...${described("send-key", {})} class="mono" autocomplete="off" spellcheck=${false}
          value=${key} onInput=${(event) => setKey(event.target.value)} />
      <//>
      <${Field} id="send-body" label="Body">
        <textarea ...${described("send-body", {})} class="mono" rows="4" spellcheck=${false}
          value=${body} onInput=${(event) => setBody(event.target.value)} />
      <//>
      <div class="form-actions">
        <button type="submit" class="button button-primary" disabled=${busy}>
          <${Icon} name="send" />${busy ? "Sending …" : "Send"}
        </button>
      </div>
    </form>
    ${error && html`<${Problem} title="Not acknowledged" error=${error} />`}
    <div role="status">
      ${sent.length > 0 &&
      html`<h3>Acknowledged</h3>
        <ul class="ids">
          ${sent.map(
            (id) => html`<li key=${id}>
              <${Link} class="mono" to=${address("/messages", { mode: "id", id })}>${id}<//>
              <${CopyButton} text=${id} label="Copy MessageId" compact=${true} />
            </li>`,
          )}
        </ul>`}
    </div>
  </section>`;
}
