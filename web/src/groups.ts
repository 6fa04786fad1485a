// SPDX-License-Identifier: MIT
//
// The rows of the table: what was allocated at each line, in each file, …, and for those that
// are frames also with all that they call.
import type { Data } from "./data";
import {
  add,
  domainName,
  noSums,
  regionName,
  threadName,
  type Callees,
  type Sums,
  type Weights,
} from "./weights";

export const KEYS = ["line", "file", "function", "module", "thread", "domain", "region"] as const;
export type Key = (typeof KEYS)[number];

export interface Group {
  name: string; // what it is
  place: string; // where that is, if the name does not say it
  frame: number; // one that stands for it; 0 if it is none
  self: Sums;
  total: Sums | null; // with what it calls; only of frames
}

export function groupsFrames(key: Key): boolean {
  return key === "line" || key === "file" || key === "function" || key === "module";
}

// What frames of one group have in common.
function frameKey(data: Data, key: Key, frame: number): string | number {
  const file = data.frameFile[frame];
  if (key === "file") return file;
  if (key === "line") return file * 4294967296 + data.frameLine[frame];
  if (key === "module") return data.strings[data.frameModule[frame]] || data.files[file].shown;
  return file * 67108864 + data.frameFunction[frame];
}

function describe(data: Data, key: Key, frame: number): [string, string] {
  const file = data.file(frame).shown;
  const name = data.functionName(frame);
  if (key === "file") return [file, ""];
  if (key === "line") return [data.place(frame), name];
  if (key === "module") return [data.strings[data.frameModule[frame]] || file, ""];
  return [name || "(no function)", file];
}

// The number of each frame's group, and a frame of each group.
export function groupFrames(data: Data, key: Key): { groupOf: Uint32Array; frames: number[] } {
  const numbers = new Map<string | number, number>();
  const groupOf = new Uint32Array(data.frameCount);
  const frames: number[] = [];
  for (let frame = 1; frame < data.frameCount; frame++) {
    const group = frameKey(data, key, frame);
    let number = numbers.get(group);
    if (number === undefined) {
      number = frames.length;
      numbers.set(group, number);
      frames.push(frame);
    }
    groupOf[frame] = number;
  }
  return { groupOf, frames };
}

// Counts a path with all that it leads to for its group, unless one of its callers is of that
// group and has been counted with it.
export function addTotals(
  weights: Weights,
  callees: Callees,
  groupOf: Uint32Array,
  totals: Sums[],
): void {
  const { pathFrame } = weights.data;
  const open = new Uint32Array(totals.length); // how often a group is among the callers
  const stack: number[] = [callees.first[0]];

  while (stack.length !== 0) {
    const path = stack[stack.length - 1];
    if (path === 0) {
      stack.pop();
      if (stack.length === 0) break;
      const done = stack[stack.length - 1];
      open[groupOf[pathFrame[done]]]--;
      stack[stack.length - 1] = callees.next[done];
      continue;
    }
    const group = groupOf[pathFrame[path]];
    if (open[group]++ === 0) add(totals[group], weights.total, path);
    stack.push(callees.first[path]);
  }
}

function groupByFrame(weights: Weights, callees: Callees, key: Key): Group[] {
  const { data } = weights;
  const { groupOf, frames } = groupFrames(data, key);
  const groups: Group[] = frames.map((frame) => {
    const [name, place] = describe(data, key, frame);
    return { name, place, frame, self: noSums(), total: noSums() };
  });
  for (let path = 1; path < data.pathCount; path++)
    add(groups[groupOf[data.pathFrame[path]]].self, weights.self, path);
  addTotals(
    weights,
    callees,
    groupOf,
    groups.map((group) => group.total!),
  );
  return groups;
}

function nameOfRow(weights: Weights, key: Key, row: number): string {
  const { data } = weights;
  if (key === "thread") return threadName(data, row);
  if (key === "domain") return domainName(data.rowDomain[row]);
  return regionName(data, weights.regions, data.rowPath[row]);
}

function groupByRow(weights: Weights, key: Key): Group[] {
  const groups = new Map<string, Group>();
  for (let row = 1; row < weights.data.rowCount; row++) {
    const name = nameOfRow(weights, key, row);
    let group = groups.get(name);
    if (!group)
      groups.set(name, (group = { name, place: "", frame: 0, self: noSums(), total: null }));
    add(group.self, weights.rows, row);
  }
  return [...groups.values()];
}

function isThere(sums: Sums | null): boolean {
  return (
    !!sums && (sums.bytes !== 0 || sums.oldBytes !== 0 || sums.blocks !== 0 || sums.oldBlocks !== 0)
  );
}

export function group(weights: Weights, callees: Callees, key: Key): Group[] {
  const all = groupsFrames(key) ? groupByFrame(weights, callees, key) : groupByRow(weights, key);
  return all.filter((one) => isThere(one.self) || isThere(one.total));
}
