// SPDX-License-Identifier: MIT
//
// Draws a tree as an icicle on a canvas: the root on top, what it leads to below, each as wide
// as its share.  Only the rows in view are drawn, and nothing narrower than a pixel; what is
// too narrow is drawn together as one grey piece, so that nothing goes unseen.
import { changeColour, frameColour, type Theme } from "./colours";
import type { Data } from "./data";
import type { Node, Tree } from "./tree";

export const ROW = 21;
const GAP = 1;
const NARROWEST = 1.2; // pixels
const FONT = '12px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';

export interface Box {
  x: number;
  y: number; // from the top of the whole graph
  width: number;
  node: Node;
  others: number; // so many siblings from this one on are drawn together; 0: only itself
}

export interface Picture {
  boxes: Box[];
  height: number;
}

// The zoomed node and its callers fill the width; below it each has its share.
export function layOut(tree: Tree, zoomed: Node, width: number): Picture {
  const boxes: Box[] = [];
  const stack: [Node, number, number][] = [];
  let deepest = zoomed.depth;

  for (let up: Node | null = zoomed; up; up = up.parent)
    boxes.push({ x: 0, y: up.depth * ROW, width, node: up, others: 0 });
  boxes.reverse();
  stack.push([zoomed, 0, width]);
  while (stack.length !== 0) {
    const [node, left, room] = stack.pop()!;
    const children = tree.childrenOf(node);
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

export interface Looks {
  theme: Theme;
  isDifference: boolean;
  matches: Uint8Array | null; // by frame
  zoomed: Node;
  current: Node | null;
  rootLabel: string;
}

function fill(data: Data, box: Box, looks: Looks, largest: number): string {
  const { node } = box;
  if (box.others !== 0) return looks.theme.line;
  if (looks.matches && looks.matches[node.frame]) return looks.theme.match;
  if (looks.isDifference)
    return changeColour(node.sums.bytes - node.sums.oldBytes, largest, looks.theme);
  if (node.frame === 0) return looks.theme.isDark ? "hsl(220 8% 24%)" : "hsl(220 14% 90%)";
  return frameColour(data, node.frame, looks.theme);
}

function drawLabel(
  context: CanvasRenderingContext2D,
  data: Data,
  box: Box,
  looks: Looks,
  top: number,
  letter: number,
): void {
  const { node } = box;
  const room = Math.floor((box.width - 9) / letter);
  if (room < 2 || box.others !== 0) return;
  const isMatch = !!looks.matches && looks.matches[node.frame] === 1;
  const name =
    node.frame === 0
      ? looks.rootLabel
      : (data.isRegion(node.frame) ? "◆ " : "") + data.label(node.frame);
  const place = node.frame === 0 || data.isRegion(node.frame) ? "" : data.place(node.frame);
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
export function draw(
  canvas: HTMLCanvasElement,
  data: Data,
  picture: Picture,
  looks: Looks,
  scrolled: number,
  width: number,
  height: number,
): number {
  const ratio = window.devicePixelRatio || 1;
  const context = canvas.getContext("2d")!;
  const largest = picture.boxes.reduce(
    (most, { node, others }) =>
      others !== 0 || node.depth <= looks.zoomed.depth
        ? most
        : Math.max(most, Math.abs(node.sums.bytes - node.sums.oldBytes)),
    0,
  );
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
    const isDim = looks.matches !== null && box.node.frame !== 0 && !looks.matches[box.node.frame];
    context.globalAlpha = isAbove ? 0.55 : isDim ? 0.42 : 1;
    context.fillStyle = fill(data, box, looks, largest);
    const inner = Math.max(box.width - (box.width > 3 ? GAP : 0), 0.5);
    context.fillRect(box.x, top, inner, ROW - GAP);
    context.globalAlpha = isAbove ? 0.7 : isDim ? 0.6 : 1;
    drawLabel(context, data, box, looks, top, letter);
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

export function boxAt(picture: Picture, x: number, y: number): Box | null {
  const top = Math.floor(y / ROW) * ROW;
  for (const box of picture.boxes)
    if (box.y === top && x >= box.x && x < box.x + Math.max(box.width, 1)) return box;
  return null;
}
