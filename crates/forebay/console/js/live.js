// Data that stays current: what was there stays on the page until the next
// answer has come, so that nothing flickers.

import { useCallback, useEffect, useRef, useState } from "../vendor/htm-preact.js";

/** While nobody looks at the page. */
const HIDDEN_MS = 15_000;
/** What is asked as often as this comes from Forebay's memory, */
const PROMPT_EVERY_MS = 2_000;
/** and without an answer for so long the page says so, while it goes on waiting. */
const OVERDUE_MS = 6_000;

let reachable = true;
const listeners = new Set();

function setReachable(next) {
  if (reachable === next) return;
  reachable = next;
  for (const listener of listeners) listener(reachable);
}

/** Whether the last question was answered at all. */
export function useReachable() {
  const [state, setState] = useState(reachable);
  useEffect(() => {
    listeners.add(setState);
    setState(reachable);
    return () => listeners.delete(setState);
  }, []);
  return state;
}

/**
 * Loads at once, whenever `key` changes, and `every` milliseconds after each
 * answer; 0 is never again. Gives { data, error, loading, refresh }; `data` is
 * the last that came for this key.
 */
export function useLive(load, key, every) {
  const [state, setState] = useState({ key: null, data: null, error: null });
  const latest = useRef(load);
  latest.current = load;
  const kick = useRef(() => {});

  useEffect(() => {
    let timer = 0;
    let overdue = 0;
    const prompt = every > 0 && every <= PROMPT_EVERY_MS;
    let asked = 0;
    let abort = new AbortController();
    const ask = async () => {
      clearTimeout(timer);
      abort.abort();
      abort = new AbortController();
      asked += 1;
      const mine = asked;
      clearTimeout(overdue);
      if (prompt) overdue = setTimeout(() => setReachable(false), OVERDUE_MS);
      try {
        const data = await latest.current(abort.signal);
        if (mine !== asked) return;
        setReachable(true);
        setState({ key, data, error: null });
      } catch (error) {
        if (mine !== asked) return;
        setReachable(error.code !== "Unreachable");
        setState((before) => ({
          key,
          data: before.key === key ? before.data : null,
          error,
        }));
      }
      clearTimeout(overdue);
      if (every > 0) timer = setTimeout(ask, document.hidden ? HIDDEN_MS : every);
    };
    const shown = () => {
      if (!document.hidden && every > 0) ask();
    };
    kick.current = ask;
    document.addEventListener("visibilitychange", shown);
    ask();
    return () => {
      asked = -1;
      clearTimeout(timer);
      clearTimeout(overdue);
      abort.abort();
      document.removeEventListener("visibilitychange", shown);
    };
  }, [key, every]);

  const current = state.key === key;
  const refresh = useCallback(() => kick.current(), []);
  return {
    data: current ? state.data : null,
    error: current ? state.error : null,
    loading: !current || (state.data === null && state.error === null),
    refresh,
  };
}
