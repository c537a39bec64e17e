// The topics that somebody may choose from.

import { useEffect, useState } from "../vendor/htm-preact.js";
import { act, get, may } from "./api.js";

const MOST = 1000;

async function ofTasks(instance, signal) {
  if (!may("DescribeDatahubTasks")) return [];
  const page = await get("/tasks", { limit: 100 }, signal);
  return page.tasks.filter((task) => task.instance === instance).map((task) => task.topic);
}

async function ofInstance(instance, signal) {
  if (!may("DescribeTopicDetail")) return [];
  const answer = await act("DescribeTopicDetail", { InstanceId: instance, Limit: MOST }, signal);
  return answer.Result.TopicList.map((topic) => topic.TopicName);
}

/** Names of an instance's topics, as far as the credential sees them. */
export function useTopics(instance) {
  const [topics, setTopics] = useState([]);
  useEffect(() => {
    const abort = new AbortController();
    const asked = [ofTasks(instance, abort.signal), ofInstance(instance, abort.signal)];
    // Suggestions: what cannot be had is not worth a word.
    Promise.allSettled(asked).then((found) => {
      if (abort.signal.aborted) return;
      setTopics([...new Set(found.flatMap((one) => one.value ?? []))].sort());
    });
    return () => abort.abort();
  }, [instance]);
  return topics;
}
