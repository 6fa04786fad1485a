// SPDX-License-Identifier: MIT
//
// The flame graph's colours: warm is the program's own code, cool what it uses, grey what
// imports; in a difference red grew and blue shrank.  Text on each is readable in both themes.
import { Owner, type Data } from "./data";

export interface Theme {
  isDark: boolean;
  ground: string;
  text: string;
  quiet: string;
  line: string;
  accent: string;
  live: string;
  rss: string;
  match: string;
  matchText: string;
}

export function themeOfPage(): Theme {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  return {
    isDark: colour("--is-dark") === "1",
    ground: colour("--panel"),
    text: colour("--text"),
    quiet: colour("--quiet"),
    line: colour("--line"),
    accent: colour("--accent"),
    live: colour("--live"),
    rss: colour("--rss"),
    match: colour("--match"),
    matchText: colour("--match-text"),
  };
}

// From 0 to 1, the same for the same name.
function scatter(text: string): number {
  let hash = 2166136261;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  return ((hash >>> 8) & 1023) / 1023;
}

export function frameColour(data: Data, frame: number, theme: Theme): string {
  const owner = data.file(frame).owner;
  const t = scatter(data.functionName(frame) || data.place(frame));
  if (data.isRegion(frame)) return theme.isDark ? "hsl(275 42% 42%)" : "hsl(275 62% 84%)";
  if (owner === Owner.Program) {
    const hue = 14 + 28 * t;
    return theme.isDark ? `hsl(${hue} 58% ${34 - 5 * t}%)` : `hsl(${hue} 92% ${77 + 5 * t}%)`;
  }
  if (owner === Owner.Library) {
    const hue = 186 + 34 * t;
    return theme.isDark ? `hsl(${hue} 26% ${30 - 4 * t}%)` : `hsl(${hue} 44% ${82 + 4 * t}%)`;
  }
  return theme.isDark ? `hsl(220 6% ${29 - 4 * t}%)` : `hsl(220 10% ${86 + 4 * t}%)`;
}

// Types that are nearly everywhere, as far from one another as the cool half allows.
const HUES: Record<string, number> = {
  dict: 212,
  list: 178,
  tuple: 150,
  str: 194,
  bytes: 160,
  set: 236,
  int: 140,
  function: 226,
  type: 246,
};

// An object's, by its type: warm is the program's own and what else is not built in, cool what
// is; what is a root by itself stands out.
export function typeColour(type: string, isRoot: boolean, theme: Theme): string {
  const t = scatter(type);
  if (type === "") return theme.isDark ? "hsl(220 6% 27%)" : "hsl(220 10% 90%)";
  if (isRoot) return theme.isDark ? "hsl(275 30% 38%)" : "hsl(268 52% 87%)";
  if (type.includes(".")) {
    const hue = 14 + 28 * t;
    return theme.isDark ? `hsl(${hue} 58% ${34 - 5 * t}%)` : `hsl(${hue} 92% ${77 + 5 * t}%)`;
  }
  const hue = HUES[type] ?? 140 + 105 * t;
  return theme.isDark ? `hsl(${hue} 30% ${30 - 4 * t}%)` : `hsl(${hue} 46% ${80 + 5 * t}%)`;
}

// [change] of a node against the largest there is; its root makes small changes visible.
export function changeColour(change: number, largest: number, theme: Theme): string {
  if (change === 0 || largest === 0) return theme.isDark ? "hsl(220 6% 27%)" : "hsl(220 10% 91%)";
  const strength = Math.sqrt(Math.min(1, Math.abs(change) / largest));
  const hue = change > 0 ? 4 : 212;
  return theme.isDark
    ? `hsl(${hue} ${20 + 50 * strength}% ${27 + 13 * strength}%)`
    : `hsl(${hue} ${60 + 30 * strength}% ${92 - 22 * strength}%)`;
}
