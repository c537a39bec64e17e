// One message, whatever it contains, as text and as nothing else.

import { html, useMemo, useState } from "../vendor/htm-preact.js";
import { download } from "./clipboard.js";
import * as format from "./format.js";
import { CopyButton, Icon, Tabs, Time } from "./parts.js";

/** More than that makes browsers slow; the whole is there to download. */
const MAX_SHOWN = 64 * 1024;

/** Indented JSON longer than that is not made: a nest of brackets grows with the square of its depth. */
const MAX_PRETTY = 16 * 1024 * 1024;

/** Characters, or bytes of what is not text, that are shown of a header. */
const MAX_HEADER_SHOWN = { text: 1024, bytes: 256 };

/** The bytes of a field of the API: text, or base64 where it says so. */
export function bytesOf(text, encoding) {
  if (text === null || text === undefined) return null;
  if (encoding !== "base64") return new TextEncoder().encode(text);
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

// C0 and C1 controls but for newline and tab, and what turns or hides text: a
// person has to see that it is there, and it must not change what is around it.
const HIDDEN =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

function named(character) {
  const code = character.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return "\u2421";
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** Text with what cannot be seen made visible. */
export function Plain({ text }) {
  const parts = [];
  let last = 0;
  for (const found of text.matchAll(HIDDEN)) {
    parts.push(text.slice(last, found.index));
    parts.push(html`<span class="hidden-character" title="U+${found[0].charCodeAt(0).toString(16).padStart(4, "0")}">${named(found[0])}</span>`);
    last = found.index + found[0].length;
  }
  parts.push(text.slice(last));
  return html`<bdi>${parts}</bdi>`;
}

function decoded(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/**
 * JSON with line breaks and indents; null if it is none, or too deep. Works on the text, so
 * that long numbers keep their digits and repeated names stay.
 */
export function pretty(text) {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  let depth = 0;
  let out = "";
  const line = () => `\n${"  ".repeat(depth)}`;
  for (const [index, token] of tokens.entries()) {
    if (out.length + 2 * depth > MAX_PRETTY) return null;
    const next = tokens[index + 1];
    if (token === "{" || token === "[") {
      const closes = next === "}" || next === "]";
      depth += 1;
      out += closes ? token : token + line();
    } else if (token === "}" || token === "]") {
      depth -= 1;
      const before = tokens[index - 1];
      out += before === "{" || before === "[" ? token : line() + token;
    } else if (token === ",") {
      out += token + line();
    } else if (token === ":") {
      out += ": ";
    } else {
      out += token;
    }
  }
  return out;
}

function hexDigits(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

export function hex(bytes) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16);
    const left = hexDigits(row.subarray(0, 8));
    const right = hexDigits(row.subarray(8));
    const text = Array.from(row, (byte) =>
      byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".",
    ).join("");
    const place = at.toString(16).padStart(8, "0");
    lines.push(`${place}  ${left.padEnd(23)}  ${right.padEnd(23)}  ${text}`);
  }
  return lines.join("\n");
}

/** A short piece of a key or value for a list. */
export function Preview({ text, encoding }) {
  if (text === null || text === undefined) return html`<span class="null">null</span>`;
  if (text === "") return html`<span class="null">empty</span>`;
  if (encoding === "base64") {
    return html`<span class="null">${format.bytes(bytesOf(text, encoding).length)} binary</span>`;
  }
  return html`<${Plain} text=${text.slice(0, 120).replace(/[\n\t]+/g, " ")} />`;
}

function Content({ name, text, encoding, fileName }) {
  const bytes = useMemo(() => bytesOf(text, encoding), [text, encoding]);
  const whole = useMemo(() => (bytes === null ? null : decoded(bytes)), [bytes]);
  const json = useMemo(() => (whole === null ? null : pretty(whole)), [whole]);
  const structured = json !== null && /^\s*[[{]/.test(whole);
  const [chosen, setChosen] = useState(null);
  if (bytes === null) return html`<p class="null">null: there is no ${name.toLowerCase()}</p>`;
  if (bytes.length === 0) return html`<p class="null">empty: a ${name.toLowerCase()} of 0 bytes</p>`;
  const tabs = [
    whole !== null && ["text", "Text"],
    json !== null && ["json", "JSON"],
    ["hex", "Hex"],
  ].filter(Boolean);
  const tab = chosen ?? (structured ? "json" : whole !== null ? "text" : "hex");
  const cut = tab === "hex" ? bytes.length > MAX_SHOWN / 4 : bytes.length > MAX_SHOWN;
  const shown = {
    text: () => html`<${Plain} text=${whole.slice(0, MAX_SHOWN)} />`,
    json: () => html`<${Plain} text=${json.slice(0, MAX_SHOWN)} />`,
    hex: () => hex(bytes.subarray(0, MAX_SHOWN / 4)),
  }[tab];
  const copied = { text: whole, json, hex: tab === "hex" ? hex(bytes) : "" }[tab];
  return html`<div class="content">
    <${Tabs} name=${name.toLowerCase()} tabs=${tabs} chosen=${tab} onChoose=${setChosen}>
      <pre tabindex="0" aria-label="${name} as ${tab}">${shown()}</pre>
    <//>
    ${cut && html`<p class="hint">Only the beginning is shown; copy or download has all of it.</p>`}
    <div class="content-actions">
      <span class="hint">${format.count(bytes.length)} ${bytes.length === 1 ? "byte" : "bytes"}</span>
      <${CopyButton} text=${copied} />
      <button type="button" class="button button-quiet" onClick=${() => download(fileName, bytes)}>
        <${Icon} name="download" />Download
      </button>
    </div>
  </div>`;
}

function HeaderText({ text, encoding, copied }) {
  if (!text) return html`<${Preview} text=${text} encoding=${encoding} />`;
  if (encoding !== "base64") {
    const { text: most } = MAX_HEADER_SHOWN;
    return html`<${Plain} text=${text.slice(0, most)} />${text.length > most && html`<span class="null"> … ${format.count(text.length)} characters</span>`}
      ${copied && html`<${CopyButton} text=${text} label="Copy" compact=${true} />`}`;
  }
  const bytes = bytesOf(text, encoding);
  const digits = hexDigits(bytes.subarray(0, MAX_HEADER_SHOWN.bytes));
  return html`${digits} <span class="null">${bytes.length > MAX_HEADER_SHOWN.bytes ? "… " : ""}${format.bytes(bytes.length)} binary</span>
    ${copied && html`<${CopyButton} text=${hexDigits(bytes)} label="Copy as hex" compact=${true} />`}`;
}

function Headers({ text }) {
  let headers = [];
  try {
    headers = JSON.parse(text || "[]");
  } catch {
    return html`<p class="null">The headers cannot be read.</p>`;
  }
  if (headers.length === 0) return html`<p class="null">none</p>`;
  return html`<div class="table-box" tabindex="0" role="region" aria-label="Headers"><table class="plain">
    <thead><tr><th scope="col">Name</th><th scope="col">Value</th></tr></thead>
    <tbody>
      ${headers.map(
        (header) => html`<tr>
          <td class="mono header-text"><${HeaderText} text=${header.Key} encoding=${header.KeyEncoding} /></td>
          <td class="mono header-text"><${HeaderText} text=${header.Value} encoding=${header.ValueEncoding} copied=${true} /></td>
        </tr>`,
      )}
    </tbody>
  </table></div>`;
}

/** A ConsumerRecord of the API with everything in it. */
export function Message({ record, sent }) {
  const name = `${record.Topic}-${record.Partition}-${record.Offset}`;
  return html`<article class="message" aria-label="Message at partition ${record.Partition}, offset ${record.Offset}">
    <dl class="facts">
      <div><dt>Topic</dt><dd class="mono">${record.Topic}</dd></div>
      <div><dt>Partition</dt><dd class="mono">${record.Partition}</dd></div>
      <div><dt>Offset</dt><dd class="mono">${record.Offset}</dd></div>
      <div><dt>Timestamp</dt><dd><${Time} ms=${record.Timestamp} precise=${true} /></dd></div>
      ${sent &&
      html`<div><dt>Received to sent</dt><dd>${format.millis(sent.sentMs - sent.receivedMs)}</dd></div>`}
    </dl>
    <section><h3>Key</h3><${Content} name="Key" text=${record.Key} encoding=${record.KeyEncoding} fileName="${name}.key" /></section>
    <section><h3>Value</h3><${Content} name="Value" text=${record.Value} encoding=${record.ValueEncoding} fileName="${name}.value" /></section>
    <section><h3>Headers</h3><${Headers} text=${record.Headers} /></section>
  </article>`;
}
