// The last 15 minutes of a task, with uPlot.

import uPlot from "../vendor/uplot.js";
import { html, useEffect, useRef } from "../vendor/htm-preact.js";
import * as format from "./format.js";

/** What a request was refused for, in the order of the server's counts. */
export const REFUSALS = [
  "FailedOperation (paused)",
  "RequestLimitExceeded (QpsLimit)",
  "InvalidParameterValue",
  "ResourceNotFound (topic)",
  "KafkaStorageError (not stored)",
  "FailedOperation (unknown)",
  "other",
];

/** One value for each bucket: what the history lacks is nothing, not a gap. */
function columns(task) {
  const { bucket_ms: step, buckets, now_ms: now } = task;
  const seconds = step / 1000;
  // The bucket that has not ended yet would look like a fall.
  const last = Math.floor(now / step) - 1;
  const slices = new Map(task.history.map((slice) => [slice.start_ms / step, slice]));
  const numbers = Array.from({ length: buckets - 1 }, (_, index) => last - buckets + 2 + index);
  const column = (of) => numbers.map((number) => {
    const slice = slices.get(number);
    return slice ? of(slice) : 0;
  });
  const latency = (stage, which) => numbers.map((number) => slices.get(number)?.[stage][which] ?? null);
  return {
    times: numbers.map((number) => number * seconds),
    messages: column((slice) => slice.messages / seconds),
    bytes: column((slice) => slice.bytes / seconds),
    waiting: [latency("received_to_sent", 0), latency("received_to_sent", 1)],
    acknowledging: [latency("sent_to_acked", 0), latency("sent_to_acked", 1)],
    refusals: REFUSALS.map((_, index) => column((slice) => slice.refusals[index])),
  };
}

/** The theme's color: `light-dark()` is resolved only where a color is used. */
function resolved(name) {
  const probe = document.createElement("span");
  probe.className = name;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

// Steps of an axis: of sizes powers of two, of the others 1, 2 and 5.
const WHOLE_STEPS = Array.from({ length: 30 }, (_, index) => [1, 2, 5][index % 3] * 10 ** Math.floor(index / 3));
const BINARY_STEPS = Array.from({ length: 40 }, (_, power) => 2 ** power);

function options(series, show, width, { steps, least = 1e-9 }) {
  const text = resolved("probe-text");
  const grid = resolved("probe-grid");
  const axis = { stroke: text, grid: { stroke: grid, width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  return {
    width,
    height: 150,
    cursor: { y: false, drag: { x: false, y: false } },
    legend: { live: true },
    scales: { y: { range: (_, __, most) => [0, Math.max(most * 1.1, least)] } },
    axes: [
      { ...axis, size: 26, space: 70, values: (_, ticks) => ticks.map((tick) => clock(tick)) },
      { ...axis, size: 62, space: 34, ...(steps && { incrs: steps }), values: (_, ticks) => ticks.map((tick) => show(tick)) },
    ],
    series: [
      { label: "Time", value: (_, at) => (at === null ? "–" : clock(at)) },
      ...series.map(([label, tint, fill]) => ({
        label,
        stroke: resolved(tint),
        fill: fill ? resolved(fill) : undefined,
        width: 1.5,
        spanGaps: false,
        points: { show: false },
        value: (_, value) => (value === null || value === undefined ? "–" : show(value)),
      })),
    ],
  };
}

function clock(seconds) {
  const at = new Date(seconds * 1000);
  const two = (number) => String(number).padStart(2, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

function Chart({ title, series, data, show, summary, ...rest }) {
  const place = useRef(null);
  const plot = useRef(null);
  const key = series.map(([label]) => label).join();
  useEffect(() => {
    const make = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(series, show, place.current.clientWidth, rest), data, place.current);
    };
    make();
    const watch = new ResizeObserver(() => {
      const width = place.current.clientWidth;
      if (plot.current && width > 0 && width !== plot.current.width) plot.current.setSize({ width, height: 150 });
    });
    watch.observe(place.current);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    addEventListener("themechange", make);
    scheme.addEventListener("change", make);
    return () => {
      removeEventListener("themechange", make);
      scheme.removeEventListener("change", make);
      watch.disconnect();
      plot.current.destroy();
      plot.current = null;
    };
  }, [key]);
  useEffect(() => plot.current?.setData(data), [data]);
  return html`<figure class="chart">
    <figcaption>${title}</figcaption>
    <p class="visually-hidden">${summary}</p>
    <div class="plot" aria-hidden="true" ref=${place} />
  </figure>`;
}

function most(values) {
  return values.reduce((high, value) => (value !== null && value > high ? value : high), 0);
}

const sizes = (value) => `${format.bytes(value)}/s`;
const rates = (value) => format.rate(value);
const times = (value) => format.millis(value);
const counts = (value) => format.count(Math.round(value * 10) / 10);

export function Charts({ task }) {
  const data = columns(task);
  const seen = data.refusals.map((column, index) => [column, index]).filter(([column]) => most(column) > 0);
  const refusals = seen.length > 0 ? seen : [[data.refusals[0], 0]];
  const total = data.refusals.flat().reduce((sum, value) => sum + value, 0);
  const latency = ([median, p99]) => `At most ${format.millis(most(p99) || null)} at p99 and ${format.millis(most(median) || null)} in the middle.`;
  const pair = [
    ["p50", "probe-one"],
    ["p99", "probe-two"],
  ];
  return html`<div class="charts">
    <${Chart} title="Messages per second" show=${rates} least=${1} data=${[data.times, data.messages]}
      series=${[["Messages/s", "probe-one", "probe-one-fill"]]} summary="At most ${rates(most(data.messages))} per second." />
    <${Chart} title="Bytes per second" show=${sizes} steps=${BINARY_STEPS} least=${1024} data=${[data.times, data.bytes]}
      series=${[["Bytes/s", "probe-three", "probe-three-fill"]]} summary="At most ${sizes(most(data.bytes))}." />
    <${Chart} title="Received → sent" show=${times} least=${4} data=${[data.times, ...data.waiting]} series=${pair} summary=${latency(data.waiting)} />
    <${Chart} title="Sent → acknowledged" show=${times} least=${4} data=${[data.times, ...data.acknowledging]} series=${pair} summary=${latency(data.acknowledging)} />
    <${Chart} title="Requests refused, each 5 s" show=${counts} least=${4} steps=${WHOLE_STEPS} data=${[data.times, ...refusals.map(([column]) => column)]}
      series=${refusals.map(([, index]) => [seen.length > 0 ? REFUSALS[index] : "none", `probe-error-${index}`])}
      summary="${format.count(total)} requests refused." />
  </div>`;
}
