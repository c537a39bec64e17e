// Signing in: with a SecretId and its SecretKey, or by the link that the first
// start printed.

import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { signIn, signInOnce } from "./api.js";
import { Field, Problem, described, useTitle } from "./parts.js";

/** The token of a one-time link, taken out of the address at once. */
function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("once");
  if (token) history.replaceState(null, "", location.pathname + location.search);
  return token;
}

let onceToken = takeToken();

export function LoginPage({ ended, onSignedIn }) {
  useTitle("Sign in");
  const [secretId, setSecretId] = useState("");
  const [secretKey, setSecretKey] = useState("");
  const [token, setToken] = useState("");
  const [withToken, setWithToken] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);

  const enter = async (attempt) => {
    setBusy(true);
    setError(null);
    try {
      await attempt();
      onSignedIn();
    } catch (refusal) {
      setError(refusal);
      setSecretKey("");
      setBusy(false);
    }
  };
  useEffect(() => {
    const redeem = () => {
      const found = onceToken ?? takeToken();
      onceToken = null;
      if (found) enter(() => signInOnce(found));
    };
    redeem();
    // A link that is pasted where this page is open already loads nothing anew.
    addEventListener("hashchange", redeem);
    return () => removeEventListener("hashchange", redeem);
  }, []);
  const onSubmit = (event) => {
    event.preventDefault();
    enter(() => signIn(secretId.trim(), secretKey.trim(), withToken ? token.trim() : ""));
  };

  return html`<main class="login" id="main">
    <form class="login-box" onSubmit=${onSubmit}>
      <h1>Sign in to Forebay</h1>
      ${ended && !error && html`<p class="notice" role="status">Your session has ended. Sign in again to go on.</p>`}
      ${error && html`<${Problem} title="Not signed in" error=${{ message: error.message }} />`}
      <${Field} id="secret-id" label="SecretId">
        <input ...${described("secret-id", {})} class="mono" autocomplete="username" required autofocus
          autocapitalize="off" spellcheck=${false} value=${secretId}
          onInput=${(event) => setSecretId(event.target.value)} />
      <//>
      <${Field} id="secret-key" label="SecretKey" hint="As in the replica's credentials.toml.">
        <input ...${described("secret-key", { hint: true })} class="mono" type="password" required
          autocomplete="current-password" value=${secretKey}
          onInput=${(event) => setSecretKey(event.target.value)} />
      <//>
      ${withToken
        ? html`<${Field} id="token" label="Token">
            <input ...${described("token", {})} class="mono" type="password" autocomplete="off" value=${token}
              onInput=${(event) => setToken(event.target.value)} />
          <//>`
        : html`<button type="button" class="link" onClick=${() => setWithToken(true)}>
            My credential has a token
          </button>`}
      <button type="submit" class="button button-primary button-wide" disabled=${busy}>
        ${busy ? "Signing in …" : "Sign in"}
      </button>
    </form>
  </main>`;
}
