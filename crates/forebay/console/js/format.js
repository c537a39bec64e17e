// Numbers, sizes and times as people read them.

const NONE = "–";

export function count(number) {
  return number.toLocaleString("en-US");
}

/** A rate per second, in at most five characters. */
export function rate(perSecond) {
  if (!perSecond) return "0";
  if (perSecond < 10) return perSecond.toFixed(1);
  if (perSecond < 9_999.5) return Math.round(perSecond).toString();
  if (perSecond < 999_500) return `${(perSecond / 1e3).toFixed(1)}k`;
  return `${(perSecond / 1e6).toFixed(1)}M`;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytes(number) {
  let unit = 0;
  let value = number;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

export function millis(ms) {
  if (ms === null || ms === undefined) return NONE;
  if (ms < 1) return "< 1 ms";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(1)} s`;
}

function two(number) {
  return String(number).padStart(2, "0");
}

/** Local time, to the second. */
export function dateTime(ms) {
  const d = new Date(ms);
  if (Number.isNaN(d.getTime())) return NONE;
  const date = `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
  return `${date} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

/** The same to the millisecond. */
export function preciseTime(ms) {
  return `${dateTime(ms)}.${String(((ms % 1000) + 1000) % 1000).padStart(3, "0")}`;
}

/** For `title`: the same moment in UTC, to the millisecond. */
export function utc(ms) {
  const d = new Date(ms);
  return Number.isNaN(d.getTime()) ? "" : d.toISOString().replace("T", " ").replace("Z", " UTC");
}

export function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  if (first < 0) return "0 s";
  return parts
    .slice(first, first + 2)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(" ");
}
