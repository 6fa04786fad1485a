// SPDX-License-Identifier: MIT
//
// The page's data, as docs/page.md describes it: read once when the page opens, but for the
// amounts of the snapshots, which are read when they are chosen.
import { Heap } from "./heap";
import { clean, Reader } from "./reader";

export const enum Owner {
  Program = 1,
  Library = 2,
  Importer = 3,
  Unknown = 4,
}

export interface Program {
  name: string;
  command_line: string;
  directory: string;
  python: string;
  executable: string;
  memwhy: string;
  host: string;
  start_unix_ms: number;
  memory_limit: number;
  sample_bytes: number;
  frame_limit: number;
  pid: number;
}

export interface State {
  role: "shown" | "older" | "moment";
  time_ns?: number;
  bytes: number;
  blocks: number;
}

export interface Facts {
  version: number;
  verdict: string;
  measure: string;
  program?: Program;
  children?: { capture: string; time_ns: number; pid: number }[];
  snapshot_count?: number;
  point_count?: number;
  exit_status?: number;
  states: State[];
  folded_rows: number;
  folded_weight: number;
  frame_limit: number;
  heaps?: number;
}

export interface Point {
  time: number; // seconds since the capture began
  rss: number;
  live: number;
  peak: number;
  overhead: number;
  lost: number;
  snapshot: number; // -1: none was taken
}

export interface SourceFile {
  name: string;
  shown: string;
  owner: Owner;
}

// Amounts by row.
export interface Amounts {
  bytes: Float64Array;
  blocks: Float64Array;
}

export class Data {
  facts: Facts;
  points: Point[] = [];
  strings: string[];
  files: SourceFile[] = [];

  // By frame; `frameFile` is a number of `files`.
  frameCount: number;
  frameFile: Uint32Array;
  frameFunction: Uint32Array;
  frameModule: Uint32Array;
  frameLine: Uint32Array;
  frameText: Uint32Array;

  // By path; a caller's number is smaller than its own, and 0 at the root.
  pathCount: number;
  pathCaller: Uint32Array;
  pathFrame: Uint32Array;

  rowCount: number;
  rowPath: Uint32Array;
  rowDomain: Uint32Array;
  rowThread: Uint32Array;

  heaps: Heap[] = []; // the object graph at some moments, the latest first

  private reader: Reader;
  private frameOfPlace: Map<string, number> | null = null; // made when it is asked
  private amountsAt: number;
  private amounts: Amounts[] = [];

  constructor(bytes: Uint8Array) {
    const reader = (this.reader = new Reader(bytes));

    this.facts = reader.json() as Facts;
    if (this.facts.version !== 1) throw new Error(`its data has version ${this.facts.version}`);
    this.readPoints();
    this.strings = reader.texts();

    const fileOfString = this.readFiles();
    const count = (this.frameCount = reader.uint());
    this.frameFile = reader.changes(count).map((string) => fileOfString[string]);
    this.frameFunction = reader.changes(count);
    this.frameModule = reader.changes(count);
    this.frameLine = reader.plain(count);
    this.frameText = reader.changes(count);

    this.pathCount = reader.uint();
    let path = 0;
    this.pathCaller = reader.column(this.pathCount, () => ++path - reader.uint());
    this.pathFrame = reader.changes(this.pathCount);

    this.rowCount = reader.uint();
    this.rowPath = reader.changes(this.rowCount);
    this.rowDomain = reader.plain(this.rowCount);
    this.rowThread = reader.plain(this.rowCount);
    for (let i = this.facts.heaps ?? 0; i > 0; i--) this.heaps.push(new Heap(reader));
    this.amountsAt = reader.at;
  }

  private readPoints(): void {
    const reader = this.reader;
    const now = [0, 0, 0, 0, 0, 0];
    for (let count = reader.uint(); count > 0; count--) {
      for (let i = 0; i < now.length; i++) now[i] += reader.int();
      const [time, rss, live, peak, overhead, lost] = now;
      const snapshot = reader.uint() - 1;
      this.points.push({ time: time / 1e9, rss, live, peak, overhead, lost, snapshot });
    }
  }

  private readFiles(): Uint32Array {
    const reader = this.reader;
    const fileOfString = new Uint32Array(this.strings.length);
    this.files.push({ name: "", shown: "(no file)", owner: Owner.Unknown });
    for (let count = reader.uint(); count > 0; count--) {
      const name = reader.uint();
      const shown = reader.uint();
      fileOfString[name] = this.files.length;
      const owner: Owner = reader.uint();
      this.files.push({ name: this.strings[name], shown: this.strings[shown], owner });
    }
    return fileOfString;
  }

  // Each state is written as what differs from the one before it.
  amountsOf(state: number): Amounts {
    for (let next = this.amounts.length; next <= state; next++) {
      const before = this.amounts[next - 1];
      if (next === 0) this.reader.at = this.amountsAt;
      const read = (old?: Float64Array) => {
        const column = new Float64Array(this.rowCount);
        for (let i = 1; i < column.length; i++) column[i] = (old ? old[i] : 0) + this.reader.int();
        return column;
      };
      const bytes = read(before?.bytes);
      const blocks = read(before?.blocks);
      this.amounts.push({ bytes, blocks });
    }
    return this.amounts[state];
  }

  // A frame that stands at a line, or 0.
  frameAt(file: string, line: number): number {
    if (this.frameOfPlace === null) {
      this.frameOfPlace = new Map();
      for (let frame = this.frameCount - 1; frame > 0; frame--)
        this.frameOfPlace.set(`${this.file(frame).name}:${this.frameLine[frame]}`, frame);
    }
    return this.frameOfPlace.get(`${clean(file)}:${line}`) ?? 0;
  }

  functionName(frame: number): string {
    return this.strings[this.frameFunction[frame]];
  }

  file(frame: number): SourceFile {
    return this.files[this.frameFile[frame]];
  }

  isRegion(frame: number): boolean {
    return this.file(frame).name === "<region>";
  }

  // "shop/orders.py:77"
  place(frame: number): string {
    const line = this.frameLine[frame];
    return this.file(frame).shown + (line === 0 ? "" : `:${line}`);
  }

  // What a frame is called where there is room for one word.
  label(frame: number): string {
    return this.functionName(frame) || this.place(frame);
  }
}

async function gunzip(text: string): Promise<Uint8Array> {
  if (typeof DecompressionStream === "undefined")
    throw new Error("this browser is too old: it has no DecompressionStream");
  const letters = atob(text);
  const packed = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) packed[i] = letters.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export async function readData(): Promise<Data> {
  const element = document.getElementById("data");
  const text = element?.textContent ?? "";
  element?.remove(); // megabytes that nobody needs twice
  if (text.trim() === "") throw new Error("there is no data in it");
  return new Data(await gunzip(text));
}
