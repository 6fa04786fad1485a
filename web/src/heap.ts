// SPDX-License-Identifier: MIT
//
// The object graph at one moment: who keeps whom alive, as a tree of dominators, and tables.
// What is below a row goes when the row goes.
import { count } from "./format";
import type { Reader } from "./reader";

export const enum Kind {
  One = 0, // an object
  Alike = 1, // several of one type, which one line allocated
  Small = 2, // what is too little to be told apart
}

// Why an object is alive by itself, as in src/graph/object_graph.h.
export const ROOTS = [
  "",
  "module",
  "frame",
  "interpreter",
  "static type",
  "held from C",
  "immortal",
  "garbage",
] as const;
export const ROOT_MODULE = 1;
const ROOT_FRAME = 2;
const ROOT_INTERPRETER = 3;

// Answers of `memwhy heap --json`.
export interface Site {
  file: string;
  line: number;
  function: string;
}

export interface ObjectFields {
  id: number;
  type: string;
  text: string;
  size: number;
  retained: number;
  site?: Site;
}

export interface TypeSum {
  type: string;
  count: number;
  size: number;
}

export interface SiteSum extends Partial<Site> {
  count: number;
  size: number;
}

export interface PathFields {
  length: number;
  expression: string;
}

export interface Suspect extends ObjectFields {
  kind: "accumulates" | "joint" | "many";
  bytes: number;
  retained_bytes: number;
  objects: number;
  more_holders?: number;
  holders?: (ObjectFields & { paths: PathFields[] })[];
  paths?: PathFields[];
  retained_types?: TypeSum[];
  retained_sites?: SiteSum[];
}

export interface HeapFacts {
  verdict: string; // the sentence that `memwhy heap` begins with
  time_ns?: number;
  share: number; // per mille of the heap that a suspect has at least
  least: number; // bytes that a row has at least; what has less stands together
  totals: Record<TableName, number>; // rows that there are, in the page or not
  summary: {
    objects: number;
    bytes: number;
    references: number;
    garbage: number;
    counted_references: number;
    unexplained_references: number;
    held_objects: number;
    knows_lines: number;
    roots: Record<string, number>;
  };
  suspects: { rows: Suspect[] };
  garbage: { objects: number; bytes: number; cycles: number; rows: ObjectFields[] };
}

export const TABLES = ["types", "modules", "lines", "held"] as const;
export type TableName = (typeof TABLES)[number];

export interface HeapRow {
  name: string;
  frame: number; // a line, as a frame of the page; 0: not known
  count: number;
  references: number;
  size: number;
  retained: number;
}

// A row of the tree; made when it is looked at.
export interface HeapNode {
  row: number;
  parent: HeapNode | null;
  depth: number;
  width: number; // what it retains, in bytes
  children: HeapNode[] | null;
}

export class Heap {
  facts: HeapFacts;
  strings: string[];

  // By row; row 0 is the whole heap.
  count: number;
  parent: Uint32Array;
  kind: Uint32Array;
  joint: Uint32Array; // 1: several hold it, so that dropping one of these frees nothing
  rootKind: Uint32Array;
  type: Uint32Array;
  text: Uint32Array;
  edge: Uint32Array;
  way: Uint32Array;
  frame: Uint32Array; // of the page: the line that allocated it
  id: Float64Array;
  members: Float64Array; // objects that the row stands for
  size: Float64Array; // of these alone
  objects: Float64Array; // with all that they retain
  retained: Float64Array;
  tables: Record<TableName, HeapRow[]>;
  root: HeapNode;

  private nodes: HeapNode[] = [];
  private firstChild: Uint32Array;
  private nextChild: Uint32Array;
  private rowOfId = new Map<number, number>();

  constructor(reader: Reader) {
    this.facts = reader.json() as HeapFacts;
    this.strings = reader.texts();
    const count = (this.count = reader.uint());
    this.parent = reader.changes(count);
    this.kind = reader.plain(count);
    this.joint = reader.plain(count);
    this.rootKind = reader.plain(count);
    this.type = reader.changes(count);
    this.text = reader.changes(count);
    this.edge = reader.changes(count);
    this.way = reader.changes(count);
    this.frame = reader.changes(count);
    this.id = reader.largeChanges(count);
    this.members = reader.large(count);
    this.size = reader.large(count);
    this.objects = reader.largeChanges(count);
    this.retained = reader.largeChanges(count);
    this.tables = Object.fromEntries(TABLES.map((name) => [name, this.readTable(reader)])) as Record<
      TableName,
      HeapRow[]
    >;
    this.objects[0] = this.facts.summary.objects;
    this.retained[0] = this.facts.summary.bytes;

    this.firstChild = new Uint32Array(count);
    this.nextChild = new Uint32Array(count);
    for (let row = count - 1; row > 0; row--) {
      this.nextChild[row] = this.firstChild[this.parent[row]];
      this.firstChild[this.parent[row]] = row;
      if (this.kind[row] === Kind.One) this.rowOfId.set(this.id[row], row);
    }
    this.root = { row: 0, parent: null, depth: 0, width: this.retained[0], children: null };
    this.nodes[0] = this.root;
  }

  private readTable(reader: Reader): HeapRow[] {
    const count = reader.uint();
    const name = reader.changes(count);
    const frame = reader.changes(count);
    const columns = [0, 1, 2, 3].map(() => reader.large(count));
    return Array.from({ length: count - 1 }, (_, i) => {
      const [members, references, size, retained] = columns.map((column) => column[i + 1]);
      return {
        name: this.strings[name[i + 1]],
        frame: frame[i + 1],
        count: members,
        references,
        size,
        retained,
      };
    });
  }

  hasChildren(row: number): boolean {
    return this.firstChild[row] !== 0;
  }

  // Bound, since pictures ask for it by itself.
  childrenOf = (node: HeapNode): HeapNode[] => {
    if (node.children === null) {
      node.children = [];
      for (let row = this.firstChild[node.row]; row !== 0; row = this.nextChild[row]) {
        const made = {
          row,
          parent: node,
          depth: node.depth + 1,
          width: this.retained[row],
          children: null,
        };
        this.nodes[row] = made;
        node.children.push(made);
      }
      node.children.sort((a, b) => b.width - a.width || a.row - b.row);
    }
    return node.children;
  };

  nodeOf(row: number): HeapNode {
    if (!this.nodes[row]) this.childrenOf(this.nodeOf(this.parent[row]));
    return this.nodes[row];
  }

  // The row of the object at an address; 0 if it has none of its own.
  rowOf(id: number): number {
    return this.rowOfId.get(id) ?? 0;
  }

  get explained(): number {
    const { counted_references: counted, unexplained_references: unexplained } = this.facts.summary;
    return counted === 0 ? 1 : 1 - unexplained / counted;
  }

  // ── names ────────────────────────────────────────────────────────────────────────────

  // How the row hangs on the one above it: `.by_url`, or the way to it from a root.
  hold(row: number): string {
    if (this.way[row] !== 0) return this.strings[this.way[row]];
    const edge = this.strings[this.edge[row]];
    const name = /^\['([A-Za-z_]\w*)'\]$/.exec(edge);
    return name && this.isDictOfAttributes(this.parent[row]) ? `.${name[1]}` : edge;
  }

  // Whether what it has by string keys are attributes of what holds it.
  private isDictOfAttributes(row: number): boolean {
    return this.rootKind[row] === ROOT_MODULE || this.strings[this.edge[row]] === ".__dict__";
  }

  // What it is: "dict(4300)", "4,300 × visits.Visit".
  what(row: number): string {
    const type = this.strings[this.type[row]];
    if (row === 0) return "everything";
    if (this.kind[row] === Kind.Small)
      return this.objects[row] === 1 ? "1 more object" : `${count(this.objects[row])} more objects`;
    if (this.kind[row] === Kind.Alike) return `${count(this.members[row])} × ${type}`;
    return this.strings[this.text[row]] || type;
  }

  // All that one wants to know where there is one line for it: of modules and frames, who has
  // them says what they are.
  label(row: number): string {
    const hold = this.hold(row);
    if (hold !== "" && this.isNamedRoot(row)) return hold;
    return (
      this.way[row] !== 0 ? `${this.what(row)} ${hold}` : `${hold} ${this.what(row)}`
    ).trim();
  }

  // The way to it as one would write it in Python; "" where that has no end.
  expression(row: number): string {
    const steps: number[] = [];
    let at = row;
    for (; at !== 0 && this.way[at] === 0; at = this.parent[at]) steps.push(at);
    if (at === 0) return "";
    let written = this.strings[this.way[at]];
    for (const step of steps.reverse()) {
      const hold = this.hold(step);
      if (hold === "") return `${written} … `;
      if (hold === ".__dict__" && step !== row) continue;
      written += hold.startsWith("(") ? ` ${hold} ` : hold;
    }
    return written.trim();
  }

  isNamedRoot(row: number): boolean {
    const kind = this.kind[row] === Kind.One ? this.rootKind[row] : 0;
    return kind === ROOT_MODULE || kind === ROOT_FRAME || kind === ROOT_INTERPRETER;
  }

  // ── searching ────────────────────────────────────────────────────────────────────────

  // Which rows match: a part of what they are called, in any case.
  match(query: string, placeOf: (frame: number) => string): Uint8Array | null {
    const text = query.trim().toLowerCase();
    if (text === "") return null;
    const matches = new Uint8Array(this.count);
    for (let row = 1; row < matches.length; row++) {
      const subject = `${this.hold(row)} ${this.what(row)} ${this.strings[this.type[row]]} ${placeOf(this.frame[row])}`;
      if (subject.toLowerCase().includes(text)) matches[row] = 1;
    }
    return matches;
  }

  // What is held by rows that match, each byte once.
  matchedBytes(matches: Uint8Array): number {
    const below = new Uint8Array(this.count);
    let bytes = 0;
    for (let row = 1; row < below.length; row++) {
      const parent = this.parent[row];
      below[row] = below[parent] | matches[parent];
      if (matches[row] && !below[row]) bytes += this.retained[row];
    }
    return bytes;
  }
}
