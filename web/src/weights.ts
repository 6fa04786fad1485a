// SPDX-License-Identifier: MIT
//
// What every call path holds itself and with all that it calls, at the snapshot that is shown
// and at the one it is compared with.
import type { Data } from "./data";

export interface Choice {
  shown: number; // a state
  compared: number | null;
  only: Only | null;
}

// Leaves out all rows but those of one thread, domain or region.
export interface Only {
  key: "thread" | "domain" | "region";
  name: string;
}

// Four amounts of something; old ones are 0 where nothing is compared.
export interface Sums {
  bytes: number;
  blocks: number;
  oldBytes: number;
  oldBlocks: number;
}

export function noSums(): Sums {
  return { bytes: 0, blocks: 0, oldBytes: 0, oldBlocks: 0 };
}

// Four columns, by path.
export interface Columns {
  bytes: Float64Array;
  blocks: Float64Array;
  oldBytes: Float64Array;
  oldBlocks: Float64Array;
}

export function add(sums: Sums, from: Columns, index: number): void {
  sums.bytes += from.bytes[index];
  sums.blocks += from.blocks[index];
  sums.oldBytes += from.oldBytes[index];
  sums.oldBlocks += from.oldBlocks[index];
}

function makeColumns(length: number): Columns {
  const make = () => new Float64Array(length);
  return { bytes: make(), blocks: make(), oldBytes: make(), oldBlocks: make() };
}

// The innermost region above or at each path, as a string's number; 0: none.
export function regionOfPaths(data: Data): Uint32Array {
  const regions = new Uint32Array(data.pathCount);
  for (let path = 1; path < regions.length; path++) {
    const frame = data.pathFrame[path];
    regions[path] = data.isRegion(frame)
      ? data.frameFunction[frame]
      : regions[data.pathCaller[path]];
  }
  return regions;
}

export const DOMAIN_PYTHON = "Python";

export function domainName(domain: number): string {
  return domain === 0 ? DOMAIN_PYTHON : `extension domain ${domain}`;
}

export function threadName(data: Data, row: number): string {
  return data.strings[data.rowThread[row]] || "threads without a name";
}

export function regionName(data: Data, regions: Uint32Array, path: number): string {
  return regions[path] === 0 ? "<no region>" : data.strings[regions[path]];
}

function isLeftOut(data: Data, only: Only, regions: Uint32Array, row: number): boolean {
  if (only.key === "thread") return threadName(data, row) !== only.name;
  if (only.key === "domain") return domainName(data.rowDomain[row]) !== only.name;
  return regionName(data, regions, data.rowPath[row]) !== only.name;
}

export class Weights {
  self: Columns; // by path
  total: Columns; // by path, with all that it leads to
  rows: Columns; // by row
  all: Sums;
  // How wide a path is drawn: in a difference the larger of before and after, so that what
  // went away is seen, too; or how much changed at all.  With all that it leads to.
  widest: Float64Array;
  widestSelf: Float64Array;
  changed: Float64Array;
  changedSelf: Float64Array;
  regions: Uint32Array;

  constructor(
    readonly data: Data,
    readonly choice: Choice,
  ) {
    const shown = data.amountsOf(choice.shown);
    const compared = choice.compared === null ? null : data.amountsOf(choice.compared);

    this.regions = regionOfPaths(data);
    this.self = makeColumns(data.pathCount);
    this.rows = makeColumns(data.rowCount);
    this.widest = new Float64Array(data.pathCount);
    this.changed = new Float64Array(data.pathCount);
    for (let row = 1; row < data.rowCount; row++) {
      if (choice.only && isLeftOut(data, choice.only, this.regions, row)) continue;
      const path = data.rowPath[row];
      const bytes = (this.rows.bytes[row] = shown.bytes[row]);
      const old = (this.rows.oldBytes[row] = compared ? compared.bytes[row] : 0);
      this.rows.blocks[row] = shown.blocks[row];
      this.rows.oldBlocks[row] = compared ? compared.blocks[row] : 0;
      this.self.bytes[path] += bytes;
      this.self.blocks[path] += shown.blocks[row];
      this.self.oldBytes[path] += old;
      this.self.oldBlocks[path] += this.rows.oldBlocks[row];
      this.widest[path] += Math.max(bytes, old);
      this.changed[path] += Math.abs(bytes - old);
    }
    this.widestSelf = this.widest.slice();
    this.changedSelf = this.changed.slice();
    this.total = {
      bytes: this.self.bytes.slice(),
      blocks: this.self.blocks.slice(),
      oldBytes: this.self.oldBytes.slice(),
      oldBlocks: this.self.oldBlocks.slice(),
    };
    this.climb();
    this.all = noSums();
    add(this.all, this.total, 0);
  }

  // Callers have smaller numbers: one pass from the end adds everything to its caller.
  private climb(): void {
    const caller = this.data.pathCaller;
    const { bytes, blocks, oldBytes, oldBlocks } = this.total;
    for (let path = this.data.pathCount - 1; path > 0; path--) {
      const up = caller[path];
      bytes[up] += bytes[path];
      blocks[up] += blocks[path];
      oldBytes[up] += oldBytes[path];
      oldBlocks[up] += oldBlocks[path];
      this.widest[up] += this.widest[path];
      this.changed[up] += this.changed[path];
    }
  }
}

// Who is called by whom: the first that a path calls, and the next one of the same caller.
export class Callees {
  first: Uint32Array;
  next: Uint32Array;

  constructor(data: Data) {
    this.first = new Uint32Array(data.pathCount);
    this.next = new Uint32Array(data.pathCount);
    for (let path = data.pathCount - 1; path > 0; path--) {
      const caller = data.pathCaller[path];
      this.next[path] = this.first[caller];
      this.first[caller] = path;
    }
  }
}
