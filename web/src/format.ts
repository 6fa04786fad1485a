// SPDX-License-Identifier: MIT
//
// Numbers as people read them; sizes as tracemalloc writes them.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function size(bytes: number): string {
  let value = Math.abs(bytes);
  let unit = 0;
  while (!(value < 100 && unit !== 0) && !(value < 10 * 1024 || unit === UNITS.length - 1)) {
    value /= 1024;
    unit++;
  }
  const digits = value < 100 && unit !== 0 ? value.toFixed(1) : value.toFixed(0);
  return `${bytes < 0 ? "−" : ""}${digits} ${UNITS[unit]}`;
}

export function sizeChange(bytes: number): string {
  return bytes > 0 ? `+${size(bytes)}` : bytes === 0 ? "0" : size(bytes);
}

export function count(number: number): string {
  return Math.round(number).toLocaleString("en-US").replace("-", "−");
}

export function countChange(number: number): string {
  return number > 0 ? `+${count(number)}` : count(number);
}

export function share(part: number, whole: number): string {
  return whole === 0 ? "0%" : `${((part / whole) * 100).toFixed(1)}%`;
}

// "4.2 s", "3 min 5 s", "2 h 10 min", "3 d 4 h".
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds < 10 ? +seconds.toFixed(1) : Math.round(seconds)} s`;
  const pairs: [number, string, number, string][] = [
    [86400, "d", 3600, "h"],
    [3600, "h", 60, "min"],
    [60, "min", 1, "s"],
  ];
  for (const [large, largeName, small, smallName] of pairs) {
    if (seconds < large) continue;
    const whole = Math.floor(seconds / large);
    const rest = Math.floor((seconds - whole * large) / small);
    return rest === 0 ? `${whole} ${largeName}` : `${whole} ${largeName} ${rest} ${smallName}`;
  }
  return "";
}

// "1:05", "2:10:00": a time on an axis.
export function clock(seconds: number): string {
  const two = (number: number) => String(number).padStart(2, "0");
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60) % 60;
  const hours = Math.floor(whole / 3600);
  if (hours === 0 && seconds < 10 && seconds !== whole) return seconds.toFixed(1);
  return hours === 0
    ? `${minutes}:${two(whole % 60)}`
    : `${hours}:${two(minutes)}:${two(whole % 60)}`;
}

export function date(unixMs: number): string {
  return unixMs === 0 ? "" : new Date(unixMs).toISOString().replace("T", " ").slice(0, 19) + " UTC";
}
