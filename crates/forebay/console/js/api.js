// The console's endpoints. Whoever is signed in is known by a cookie that
// scripts cannot see; what changes something needs the CSRF token besides.

const BASE = "/console/api";
const PATIENCE_MS = 60_000;
/** A person who did something within this time is there. */
const PRESENT_MS = 60_000;

let session = null;
let lastInput = Date.now();
const listeners = new Set();

for (const event of ["pointerdown", "keydown", "wheel"]) {
  addEventListener(event, () => (lastInput = Date.now()), { passive: true, capture: true });
}

/** A refusal, in the API's words. */
export class Refusal extends Error {
  constructor(code, message, status = 0) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** No answer came: the server is away, or the network is. */
export class Unreachable extends Error {
  constructor() {
    super("Forebay does not answer.");
    this.code = "Unreachable";
  }
}

export function currentSession() {
  return session;
}

/** Whether the credential may do this action of the API. */
export function may(action) {
  return session !== null && session.actions.includes(action);
}

/** Whether it may create tasks: one that is limited to some access points may not. */
export function mayCreate() {
  return may("CreateDatahubTask") && session.every_datahub;
}

/** Calls `listener` whenever somebody has signed in or out. */
export function onSession(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function setSession(next) {
  session = next;
  for (const listener of listeners) listener(session);
}

async function request(path, options = {}) {
  const headers = { ...options.headers };
  if (Date.now() - lastInput < PRESENT_MS) headers["X-Console-Active"] = "1";
  const patience = AbortSignal.timeout(PATIENCE_MS);
  const signal = options.signal ? AbortSignal.any([options.signal, patience]) : patience;
  let response;
  try {
    response = await fetch(BASE + path, { ...options, headers, signal, cache: "no-store" });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Unreachable();
  }
  let body = null;
  try {
    body = response.status === 204 ? null : await response.json();
  } catch {
    throw new Refusal("BadAnswer", `The answer is not JSON (HTTP ${response.status}).`);
  }
  if (response.ok) return body;
  if (body?.code === "SignedOut" && session !== null) setSession(null);
  throw new Refusal(
    body?.code ?? "Error",
    body?.message ?? `HTTP ${response.status}`,
    response.status,
  );
}

function post(path, body, headers = {}, signal = undefined) {
  return request(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
    signal,
  });
}

export function get(path, query = {}, signal = undefined) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") search.set(name, value);
  }
  const text = search.toString();
  return request(text ? `${path}?${text}` : path, { signal });
}

/**
 * Whether the same person has another session now: they signed in anew in
 * another tab, and the browser has one cookie for all of them.
 */
async function signedInAnew() {
  const before = session;
  await loadSession();
  if (session === null || before === null || session.csrf === before.csrf) return false;
  if (session.secret_id === before.secret_id) return true;
  const who = `${session.secret_id} has signed in in another tab`;
  throw new Refusal("SignedInAnew", `${who}. Nothing was changed; try again if it shall be.`);
}

/** A POST that changes something: with the session's token. */
async function change(path, body, signal = undefined) {
  const ask = () => post(path, body, { "X-CSRF-Token": session?.csrf ?? "" }, signal);
  try {
    return await ask();
  } catch (error) {
    if (error.code !== "Forged" || !(await signedInAnew())) throw error;
    return ask();
  }
}

/** An action of the API: its `Response`, or a Refusal with its code. */
export async function act(action, parameters, signal = undefined) {
  const answer = await change(`/action/${action}`, parameters, signal);
  const { Error: error, ...response } = answer.Response;
  if (error) throw new Refusal(error.Code, error.Message, 200);
  return response;
}

/** Looks whether somebody is signed in. */
export async function loadSession() {
  try {
    setSession(await get("/session"));
  } catch (error) {
    if (error.code !== "SignedOut") throw error;
    setSession(null);
  }
  return session;
}

export async function signIn(secretId, secretKey, token) {
  const secrets = { secret_id: secretId, secret_key: secretKey };
  if (token) secrets.token = token;
  await post("/login", secrets);
  return loadSession();
}

export async function signInOnce(token) {
  await post("/login/once", { token });
  return loadSession();
}

export async function signOut() {
  try {
    await change("/logout", {});
  } catch (error) {
    // Whoever it is that the browser is signed in for now stays.
    if (error.code === "SignedInAnew") throw error;
    setSession(null);
    throw error;
  }
  setSession(null);
}
