// SPDX-License-Identifier: MIT
//
// Draws a tree as an icicle on a canvas: the root on top, what it leads to below, each as wide
// as its share.  Only the rows in view are drawn, and nothing narrower than a pixel; what is
// too narrow is drawn together as one grey piece, so that nothing goes unseen.  What the nodes
// are, and how they look, is the caller's.
import type { Theme } from "./colours";

export const ROW = 21;
const GAP = 1;
const NARROWEST = 1.2; // pixels
const FONT = '12px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';

export interface Shape<N> {
  parent: N | null;
  depth: number;
  width: number; // in bytes; its children's, the widest first, are no more together
}

export interface Box<N> {
  x: number;
  y: number; // from the top of the whole graph
  width: number;
  node: N;
  others: number; // so many siblings from this one on are drawn together; 0: only itself
}

export interface Picture<N> {
  boxes: Box<N>[];
  height: number;
}

// The zoomed node and its callers fill the width; below it each has its share.
export function layOut<N extends Shape<N>>(
  childrenOf: (node: N) => N[],
  zoomed: N,
  width: number,
): Picture<N> {
  const boxes: Box<N>[] = [];
  const stack: [N, number, number][] = [];
  let deepest = zoomed.depth;

  for (let up: N | null = zoomed; up; up = up.parent)
    boxes.push({ x: 0, y: up.depth * ROW, width, node: up, others: 0 });
  boxes.reverse();
  stack.push([zoomed, 0, width]);
  while (stack.length !== 0) {
    const [node, left, room] = stack.pop()!;
    const children = childrenOf(node);
    const scale = node.width === 0 ? 0 : room / node.width;
    let x = left;
    for (let i = 0; i < children.length; i++) {
      const child = children[i];
      const y = child.depth * ROW;
      const share = child.width * scale;
      // The widest come first: all that follow are as narrow.
      if (share < NARROWEST) {
        const rest = children.slice(i).reduce((sum, one) => sum + one.width, 0) * scale;
        if (rest >= 0.5)
          boxes.push({ x, y, width: rest, node: child, others: children.length - i });
        break;
      }
      boxes.push({ x, y, width: share, node: child, others: 0 });
      deepest = Math.max(deepest, child.depth);
      stack.push([child, x, share]);
      x += share;
    }
  }
  return { boxes, height: (deepest + 1) * ROW };
}

// What is written into a box, the second part only where there is room for it.
export type Label = [name: string, place: string];

export interface Looks<N> {
  theme: Theme;
  zoomed: N;
  current: N | null;
  colour: (node: N) => string;
  label: (node: N) => Label;
  isMatch: ((node: N) => boolean) | null; // null: nothing is searched for
}

function drawLabel<N>(
  context: CanvasRenderingContext2D,
  box: Box<N>,
  looks: Looks<N>,
  isMatch: boolean,
  top: number,
  letter: number,
): void {
  const room = Math.floor((box.width - 9) / letter);
  if (room < 2 || box.others !== 0) return;
  const [name, place] = looks.label(box.node);
  const x = Math.max(box.x, 0) + 5;

  context.fillStyle = isMatch ? looks.theme.matchText : looks.theme.text;
  context.fillText(name.length > room ? name.slice(0, room - 1) + "…" : name, x, top + 15);
  const left = room - name.length - 2;
  if (left < 6 || place === name || place === "") return;
  context.globalAlpha *= 0.62;
  // The end of a place says more than its start.
  const shown = place.length > left ? "…" + place.slice(place.length - left + 1) : place;
  context.fillText(shown, x + (name.length + 2) * letter, top + 15);
}

// Returns how many boxes were drawn.
export function draw<N extends Shape<N>>(
  canvas: HTMLCanvasElement,
  picture: Picture<N>,
  looks: Looks<N>,
  scrolled: number,
  width: number,
  height: number,
): number {
  const ratio = window.devicePixelRatio || 1;
  const context = canvas.getContext("2d")!;
  let drawn = 0;

  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = FONT;
  const letter = context.measureText("mmmmmmmmmm").width / 10;
  for (const box of picture.boxes) {
    const top = box.y - scrolled;
    if (top + ROW < 0 || top > height) continue;
    const isAbove = box.node.depth < looks.zoomed.depth;
    const isMatch = looks.isMatch !== null && looks.isMatch(box.node);
    const isDim = looks.isMatch !== null && box.node.parent !== null && !isMatch;
    context.globalAlpha = isAbove ? 0.55 : isDim ? 0.42 : 1;
    context.fillStyle =
      box.others !== 0
        ? looks.theme.line
        : isMatch
          ? looks.theme.match
          : looks.colour(box.node);
    const inner = Math.max(box.width - (box.width > 3 ? GAP : 0), 0.5);
    context.fillRect(box.x, top, inner, ROW - GAP);
    context.globalAlpha = isAbove ? 0.7 : isDim ? 0.6 : 1;
    drawLabel(context, box, looks, isMatch, top, letter);
    context.globalAlpha = 1;
    if (box.node === looks.current && box.others === 0) {
      context.strokeStyle = looks.theme.accent;
      context.lineWidth = 2;
      context.strokeRect(box.x + 1, top + 1, Math.max(inner - 2, 1), ROW - GAP - 2);
    }
    drawn++;
  }
  return drawn;
}

export function boxAt<N>(picture: Picture<N>, x: number, y: number): Box<N> | null {
  const top = Math.floor(y / ROW) * ROW;
  for (const box of picture.boxes)
    if (box.y === top && x >= box.x && x < box.x + Math.max(box.width, 1)) return box;
  return null;
}
