// SPDX-License-Identifier: MIT
//
// The tree that the flame graph draws.  Its nodes are made when they are looked at: most of
// those of a large capture are too narrow ever to be drawn.
import type { Data } from "./data";
import { add, noSums, type Callees, type Sums, type Weights } from "./weights";

export interface TreeOptions {
  isInverted: boolean; // from what allocates to who called it, instead of the other way round
  foldsRecursion: boolean; // a function that calls itself stands there once
  byFunction: boolean; // lines of a function are not told apart
  showsChange: boolean; // as wide as what changed
}

export interface Node {
  parent: Node | null;
  frame: number; // one of its frames; 0 is the root
  depth: number;
  width: number;
  sums: Sums;
  paths: number[]; // top down: paths that end here; inverted: those that begin below
  at: number[]; // inverted: how far each of them has been climbed
  selfWidth: number; // of its width, what it does not owe to its children
  children: Node[] | null; // not asked for yet
}

export class Tree {
  root: Node;
  private functionOf: Uint32Array; // by frame
  private keyOf: Uint32Array; // by frame: what is one node
  private widths: Float64Array;
  private selfWidths: Float64Array;

  constructor(
    readonly weights: Weights,
    private callees: Callees,
    readonly options: TreeOptions,
  ) {
    const { data } = weights;
    this.functionOf = functionOfFrames(data);
    this.keyOf = options.byFunction ? this.functionOf : lineOfFrames(data);
    this.widths = options.showsChange ? weights.changed : weights.widest;
    this.selfWidths = options.showsChange ? weights.changedSelf : weights.widestSelf;
    this.root = this.makeRoot();
  }

  private makeRoot(): Node {
    const root = newNode(null, 0);
    root.width = this.widths[0];
    root.sums = { ...this.weights.all };
    if (!this.options.isInverted) {
      root.paths.push(0);
      return root;
    }
    for (let path = 1; path < this.weights.data.pathCount; path++) {
      if (this.selfWidths[path] === 0) continue;
      root.paths.push(path);
      root.at.push(path);
    }
    return root;
  }

  // Bound, since pictures ask for it by itself.
  childrenOf = (node: Node): Node[] => {
    if (node.children === null) {
      node.children = this.options.isInverted ? this.callersOf(node) : this.calledBy(node);
      node.children.sort((a, b) => b.width - a.width || a.frame - b.frame);
      node.selfWidth = node.width;
      for (const child of node.children) node.selfWidth -= child.width;
    }
    return node.children;
  };

  private calledBy(node: Node): Node[] {
    const { data, total } = this.weights;
    const made = new Map<number, Node>();
    const own = this.functionOf[node.frame];

    // What is absorbed is appended, and so looked at, too.
    for (let i = 0; i < node.paths.length; i++) {
      for (
        let path = this.callees.first[node.paths[i]];
        path !== 0;
        path = this.callees.next[path]
      ) {
        const frame = data.pathFrame[path];
        if (this.widths[path] === 0) continue;
        if (this.options.foldsRecursion && node.frame !== 0 && this.functionOf[frame] === own) {
          node.paths.push(path);
          continue;
        }
        const child = this.child(made, node, frame);
        child.paths.push(path);
        child.width += this.widths[path];
        add(child.sums, total, path);
      }
    }
    return [...made.values()];
  }

  private callersOf(node: Node): Node[] {
    const { data, self } = this.weights;
    const made = new Map<number, Node>();
    const own = this.functionOf[node.frame];

    for (let i = 0; i < node.paths.length; i++) {
      // The root stands for no frame: below it is what allocates.
      let at = node.frame === 0 ? node.at[i] : data.pathCaller[node.at[i]];
      if (this.options.foldsRecursion && node.frame !== 0)
        while (at !== 0 && this.functionOf[data.pathFrame[at]] === own) at = data.pathCaller[at];
      if (at === 0) continue;
      const child = this.child(made, node, data.pathFrame[at]);
      const path = node.paths[i];
      child.paths.push(path);
      child.at.push(at);
      child.width += this.selfWidths[path];
      add(child.sums, self, path);
    }
    return [...made.values()];
  }

  private child(made: Map<number, Node>, parent: Node, frame: number): Node {
    const key = this.keyOf[frame];
    let child = made.get(key);
    if (!child) made.set(key, (child = newNode(parent, frame)));
    return child;
  }

  // The node of the same frames in another tree, or the nearest above it that is there.
  find(node: Node): Node {
    const frames: number[] = [];
    for (let up: Node | null = node; up && up.frame !== 0; up = up.parent) frames.push(up.frame);
    let found = this.root;
    for (const frame of frames.reverse()) {
      const next = this.childrenOf(found).find(
        (child) => this.keyOf[child.frame] === this.keyOf[frame],
      );
      if (!next) break;
      found = next;
    }
    return found;
  }
}

function newNode(parent: Node | null, frame: number): Node {
  const depth = parent ? parent.depth + 1 : 0;
  return {
    parent,
    frame,
    depth,
    width: 0,
    sums: noSums(),
    paths: [],
    at: [],
    selfWidth: 0,
    children: null,
  };
}

function numberBy(data: Data, keyOf: (frame: number) => number | string): Uint32Array {
  const numbers = new Map<number | string, number>();
  const result = new Uint32Array(data.frameCount);
  for (let frame = 1; frame < result.length; frame++) {
    const key = keyOf(frame);
    let number = numbers.get(key);
    if (number === undefined) numbers.set(key, (number = numbers.size + 1));
    result[frame] = number;
  }
  return result;
}

function functionOfFrames(data: Data): Uint32Array {
  return numberBy(data, (frame) => {
    const name = data.frameFunction[frame];
    // Without names, lines are all there is to tell functions apart.
    const unnamed = name === 0 ? data.frameLine[frame] + 1 : 0;
    return `${data.frameFile[frame]} ${name} ${unnamed}`;
  });
}

function lineOfFrames(data: Data): Uint32Array {
  return numberBy(
    data,
    (frame) => `${data.frameFile[frame]} ${data.frameLine[frame]} ${data.frameFunction[frame]}`,
  );
}

// ── searching ──────────────────────────────────────────────────────────────────────────

// Which frames match: a part of "function file:line module" in any case, or /a pattern/.
export function matchFrames(data: Data, query: string): Uint8Array | string | null {
  const text = query.trim();
  if (text === "") return null;
  const matches = new Uint8Array(data.frameCount);
  let test: (subject: string) => boolean;
  if (text.length > 2 && text.startsWith("/") && text.endsWith("/")) {
    try {
      const pattern = new RegExp(text.slice(1, -1), "i");
      test = (subject) => pattern.test(subject);
    } catch {
      return "not a pattern";
    }
  } else {
    const lower = text.toLowerCase();
    test = (subject) => subject.toLowerCase().includes(lower);
  }
  for (let frame = 1; frame < matches.length; frame++) {
    const module = data.strings[data.frameModule[frame]];
    if (test(`${data.functionName(frame)} ${data.place(frame)} ${module}`)) matches[frame] = 1;
  }
  return matches;
}

// What is held by paths that run through a frame that matches; each counts once.
export function matchedSums(weights: Weights, matches: Uint8Array): Sums {
  const { data } = weights;
  const through = new Uint8Array(data.pathCount);
  const sums = noSums();
  for (let path = 1; path < through.length; path++) {
    through[path] = through[data.pathCaller[path]] | matches[data.pathFrame[path]];
    if (through[path]) add(sums, weights.self, path);
  }
  return sums;
}
