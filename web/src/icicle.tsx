// SPDX-License-Identifier: MIT
//
// A tree as a picture to move about in, by mouse and by keyboard; flame_canvas.ts draws it.
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { boxAt, draw, layOut, ROW, type Box, type Looks, type Shape } from "./flame_canvas";
import { count } from "./format";

export interface IcicleTree<N> {
  root: N;
  childrenOf: (node: N) => N[];
}

export interface IcicleProps<N extends Shape<N>> {
  id: string; // of the canvas
  name: string; // what it is, and which keys it knows
  tree: IcicleTree<N>;
  looks: Omit<Looks<N>, "current">;
  current: N | null; // what the keyboard is at
  pointed: N | null; // what the mouse is at
  share: number; // of the window's height, at most
  othersAre: string; // "frames"
  onCurrent: (node: N | null) => void;
  onPointed: (node: N | null) => void;
  onZoom: (node: N) => void;
  onKey?: Record<string, (node: N) => void>; // what other keys do
  tip: (node: N) => ComponentChildren;
}

function Tip({ at, children }: { at: [number, number]; children: ComponentChildren }) {
  const reference = useRef<HTMLDivElement>(null);

  // Beside the pointer, and never beyond the window's edge.
  useLayoutEffect(() => {
    const tip = reference.current!;
    const { offsetWidth: width, offsetHeight: height } = tip;
    const left = Math.min(at[0] + 14, window.innerWidth - width - 8);
    const top = at[1] + 18 + height > window.innerHeight ? at[1] - height - 10 : at[1] + 18;
    tip.style.left = `${Math.max(left, 8)}px`;
    tip.style.top = `${Math.max(top, 8)}px`;
  });
  return (
    <div class="tip" ref={reference}>
      {children}
    </div>
  );
}

export function Icicle<N extends Shape<N>>(props: IcicleProps<N>) {
  const { tree, looks, current, onCurrent, onPointed, onZoom } = props;
  const { zoomed } = looks;
  const [tip, setTip] = useState<{ box: Box<N>; at: [number, number] } | null>(null);
  const [width, setWidth] = useState(0);
  const [windowHeight, setWindowHeight] = useState(window.innerHeight);
  const [scrolled, setScrolled] = useState(0);
  const scroller = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);

  const picture = useMemo(() => layOut(tree.childrenOf, zoomed, width), [tree, zoomed, width]);
  // As high as it is deep, up to most of the window; never so low that the page jumps.
  const viewHeight = Math.max(
    7 * ROW,
    Math.min(picture.height, Math.max(16 * ROW, Math.round(windowHeight * props.share))),
  );

  useLayoutEffect(() => {
    const element = scroller.current!;
    const measure = () => {
      setWidth(element.clientWidth);
      setWindowHeight(window.innerHeight);
    };
    const observer = new ResizeObserver(measure);
    measure();
    observer.observe(element);
    window.addEventListener("resize", measure);
    return () => {
      observer.disconnect();
      window.removeEventListener("resize", measure);
    };
  }, []);

  const point = (box: Box<N> | null, at: [number, number]) => {
    setTip(box && { box, at });
    onPointed(box && box.others === 0 ? box.node : null);
  };
  useEffect(() => point(null, [0, 0]), [tree]); // its box is one of another tree

  useLayoutEffect(() => {
    const all = { ...looks, current: current ?? props.pointed };
    const drawn = draw(canvas.current!, picture, all, scrolled, width, viewHeight);
    canvas.current!.dataset.boxes = String(drawn);
  });

  const go = (node: N | null | undefined) => {
    if (!node) return;
    onCurrent(node);
    const element = scroller.current!;
    const top = node.depth * ROW;
    if (top < element.scrollTop) element.scrollTop = top;
    if (top + ROW > element.scrollTop + element.clientHeight)
      element.scrollTop = top + ROW - element.clientHeight;
  };
  const zoom = (node: N) => {
    onZoom(node);
    point(null, [0, 0]);
  };
  const sibling = (node: N, step: number) => {
    const siblings = node.parent ? tree.childrenOf(node.parent) : [node];
    return siblings[siblings.indexOf(node) + step];
  };
  const onKey = (event: KeyboardEvent) => {
    const node = current ?? zoomed;
    const more = props.onKey?.[event.key];
    const keys: Record<string, () => void> = {
      ArrowDown: () => go(current ? tree.childrenOf(node)[0] : node),
      ArrowUp: () => go(node.parent),
      ArrowLeft: () => go(sibling(node, -1)),
      ArrowRight: () => go(sibling(node, 1)),
      Home: () => go(tree.root),
      Enter: () => zoom(node),
      " ": () => zoom(node),
      Escape: () => zoom(zoomed.parent ?? zoomed),
      Backspace: () => zoom(zoomed.parent ?? zoomed),
    };
    const act = keys[event.key] ?? (more && (() => more(node)));
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  };
  const under = (event: MouseEvent): Box<N> | null => {
    const bounds = canvas.current!.getBoundingClientRect();
    return boxAt(picture, event.clientX - bounds.left, event.clientY - bounds.top + scrolled);
  };
  const onMove = (event: MouseEvent) => {
    const box = under(event);
    point(box, [event.clientX, event.clientY]);
    if (box) onCurrent(null);
  };
  const onClick = (event: MouseEvent) => {
    const box = under(event);
    if (box) zoom(box.others !== 0 ? (box.node.parent ?? tree.root) : box.node);
  };

  return (
    <>
      <div
        class="canvas"
        ref={scroller}
        tabIndex={0}
        role="application"
        style={{ height: `${viewHeight}px` }}
        aria-label={props.name}
        aria-describedby="said"
        onKeyDown={onKey}
        onScroll={(event) => setScrolled(event.currentTarget.scrollTop)}
        onMouseMove={onMove}
        onMouseLeave={() => point(null, [0, 0])}
        onClick={onClick}
      >
        <div class="sheet" style={{ height: `${picture.height}px` }}>
          <canvas
            id={props.id}
            ref={canvas}
            style={{ width: `${width}px`, height: `${viewHeight}px` }}
          />
        </div>
      </div>
      {tip && (
        <Tip at={tip.at}>
          {tip.box.others !== 0 ? (
            <>
              <b>
                {count(tip.box.others)} {props.othersAre}
              </b>{" "}
              that are too narrow to draw; zoom in to see them
            </>
          ) : (
            props.tip(tip.box.node)
          )}
        </Tip>
      )}
    </>
  );
}
