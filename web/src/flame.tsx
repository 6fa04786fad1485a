// SPDX-License-Identifier: MIT
//
// The flame graph with its switches, its search, and a line that says what is looked at.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Theme } from "./colours";
import { Owner } from "./data";
import { boxAt, draw, layOut, ROW, type Box } from "./flame_canvas";
import { count, countChange, share, size, sizeChange } from "./format";
import { matchedSums, matchFrames, Tree, type Node } from "./tree";
import type { Callees, Weights } from "./weights";
import { Switch } from "./parts";

export interface FlameProps {
  weights: Weights;
  callees: Callees;
  theme: Theme;
  query: string;
  onQuery: (query: string) => void;
  onSource: (frame: number) => void;
}

function title(weights: Weights, node: Node): string {
  const { data } = weights;
  if (node.frame === 0) return "All of it";
  if (data.isRegion(node.frame)) return `region ${data.functionName(node.frame)}`;
  return data.label(node.frame);
}

function amounts(weights: Weights, node: Node): string {
  const { sums } = node;
  const text = `${size(sums.bytes)} (${share(sums.bytes, weights.all.bytes)}) in ${count(sums.blocks)} blocks`;
  if (weights.choice.compared === null) return text;
  const blocks = countChange(sums.blocks - sums.oldBlocks);
  return `${text}; was ${size(sums.oldBytes)}: ${sizeChange(sums.bytes - sums.oldBytes)}, ${blocks} blocks`;
}

function Tip({ weights, box, at }: { weights: Weights; box: Box; at: [number, number] }) {
  const { data } = weights;
  const { node } = box;
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
  if (box.others !== 0)
    return (
      <div class="tip" ref={reference}>
        <b>{count(box.others)} frames</b> that are too narrow to draw; zoom in to see them
      </div>
    );
  const text = data.strings[data.frameText[node.frame]];
  return (
    <div class="tip" ref={reference}>
      <b>{title(weights, node)}</b>
      {node.frame !== 0 && !data.isRegion(node.frame) && (
        <div class="place">{data.place(node.frame)}</div>
      )}
      {text && <code>{text}</code>}
      <div>{amounts(weights, node)}</div>
    </div>
  );
}

export function Flame({ weights, callees, theme, query, onQuery, onSource }: FlameProps) {
  const { data } = weights;
  const isDifference = weights.choice.compared !== null;
  const [isInverted, setInverted] = useState(false);
  const [foldsRecursion, setFolds] = useState(false);
  const [byFunction, setByFunction] = useState(false);
  const [changeOnly, setChangeOnly] = useState(false);
  const [wanted, setZoomed] = useState<Node | null>(null);
  const [pointed, setPointed] = useState<{ box: Box; at: [number, number] } | null>(null);
  const [wantedCurrent, setCurrent] = useState<Node | null>(null);
  const [width, setWidth] = useState(0);
  const [windowHeight, setWindowHeight] = useState(window.innerHeight);
  const [scrolled, setScrolled] = useState(0);
  const scroller = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const search = useRef<HTMLInputElement>(null);

  const showsChange = changeOnly && isDifference;
  const tree = useMemo(
    () => new Tree(weights, callees, { isInverted, foldsRecursion, byFunction, showsChange }),
    [weights, callees, isInverted, foldsRecursion, byFunction, showsChange],
  );
  // Another tree: the same place in it.
  const zoomed = useMemo(() => (wanted ? tree.find(wanted) : tree.root), [tree, wanted]);
  const current = useMemo(
    () => (wantedCurrent ? tree.find(wantedCurrent) : null),
    [tree, wantedCurrent],
  );
  const picture = useMemo(() => layOut(tree, zoomed, width), [tree, zoomed, width]);
  // As high as it is deep, up to most of the window; never so low that the page jumps.
  const viewHeight = Math.max(
    7 * ROW,
    Math.min(picture.height, Math.max(16 * ROW, Math.round(windowHeight * 0.62))),
  );
  const found = useMemo(() => matchFrames(data, query), [data, query]);
  const matches = found instanceof Uint8Array ? found : null;
  const matched = useMemo(
    () => (matches ? matchedSums(weights, matches) : null),
    [weights, matches],
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

  useEffect(() => setPointed(null), [tree]); // its box is one of another tree

  useLayoutEffect(() => {
    const rootLabel = `${size(weights.all.bytes)}${isDifference ? ` (${sizeChange(weights.all.bytes - weights.all.oldBytes)})` : ""}, all of it`;
    const looks = {
      theme,
      isDifference,
      matches,
      zoomed,
      current: current ?? pointed?.box.node ?? null,
      rootLabel,
    };
    const drawn = draw(canvas.current!, data, picture, looks, scrolled, width, viewHeight);
    canvas.current!.dataset.boxes = String(drawn);
  });

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.key !== "/" || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName)) return;
      event.preventDefault();
      search.current?.focus();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);

  const go = (node: Node | null | undefined) => {
    if (!node) return;
    setCurrent(node);
    const element = scroller.current!;
    const top = node.depth * ROW;
    if (top < element.scrollTop) element.scrollTop = top;
    if (top + ROW > element.scrollTop + element.clientHeight)
      element.scrollTop = top + ROW - element.clientHeight;
  };
  const zoom = (node: Node) => {
    setZoomed(node);
    setPointed(null);
  };
  const sibling = (node: Node, step: number) => {
    const siblings = node.parent ? tree.childrenOf(node.parent) : [node];
    return siblings[siblings.indexOf(node) + step];
  };
  const onKey = (event: KeyboardEvent) => {
    const node = current ?? zoomed;
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
      s: () => node.frame !== 0 && onSource(node.frame),
    };
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  };
  const under = (event: MouseEvent): Box | null => {
    const bounds = canvas.current!.getBoundingClientRect();
    return boxAt(picture, event.clientX - bounds.left, event.clientY - bounds.top + scrolled);
  };
  const onMove = (event: MouseEvent) => {
    const box = under(event);
    setPointed(box && { box, at: [event.clientX, event.clientY] });
    if (box) setCurrent(null);
  };
  const onClick = (event: MouseEvent) => {
    const box = under(event);
    if (box) zoom(box.others !== 0 ? (box.node.parent ?? tree.root) : box.node);
  };

  const said = current ?? (pointed && pointed.box.others === 0 ? pointed.box.node : zoomed);
  return (
    <section class="flame">
      <div class="controls">
        <label class="search">
          <span class="hidden">Search frames</span>
          <input
            type="search"
            id="search"
            ref={search}
            value={query}
            placeholder="Search: name, file, or /pattern/"
            onInput={(event) => onQuery(event.currentTarget.value)}
          />
        </label>
        <output class="matched" for="search" aria-live="polite">
          {typeof found === "string" && found}
          {matched && `matched ${share(matched.bytes, weights.all.bytes)} · ${size(matched.bytes)}`}
        </output>
        <span class="stretch" />
        <Switch
          on={isInverted}
          set={setInverted}
          id="invert"
          title="Begin with what allocates, and show who called it"
        >
          Invert
        </Switch>
        <Switch
          on={byFunction}
          set={setByFunction}
          id="by-function"
          title="Do not tell the lines of a function apart"
        >
          Merge lines
        </Switch>
        <Switch
          on={foldsRecursion}
          set={setFolds}
          id="fold"
          title="A function that calls itself stands there once"
        >
          Fold recursion
        </Switch>
        {isDifference && (
          <Switch
            on={changeOnly}
            set={setChangeOnly}
            id="change-only"
            title="As wide as what changed, instead of what there is"
          >
            Only changes
          </Switch>
        )}
        <button
          type="button"
          id="reset"
          disabled={zoomed === tree.root}
          onClick={() => zoom(tree.root)}
        >
          Reset zoom
        </button>
      </div>
      <div
        class="canvas"
        ref={scroller}
        tabIndex={0}
        role="application"
        style={{ height: `${viewHeight}px` }}
        aria-label="Flame graph. Arrow keys move, Enter zooms in, Escape zooms out, S shows the source."
        aria-describedby="said"
        onKeyDown={onKey}
        onScroll={(event) => setScrolled(event.currentTarget.scrollTop)}
        onMouseMove={onMove}
        onMouseLeave={() => setPointed(null)}
        onClick={onClick}
      >
        <div class="sheet" style={{ height: `${picture.height}px` }}>
          <canvas
            id="flame"
            ref={canvas}
            style={{ width: `${width}px`, height: `${viewHeight}px` }}
          />
        </div>
      </div>
      <div class="below">
        <p id="said" class="said" aria-live="polite">
          <b>{title(weights, said)}</b>
          {said.frame !== 0 && !data.isRegion(said.frame) && (
            <span class="place"> {data.place(said.frame)}</span>
          )}
          <span> · {amounts(weights, said)}</span>
        </p>
        <Legend
          isDifference={isDifference}
          showsChange={showsChange}
          isInverted={isInverted}
          hasRegions={weights.regions.some((region) => region !== 0)}
          knowsOwners={data.files.some((file) => file.owner === Owner.Library)}
        />
      </div>
      {pointed && <Tip weights={weights} box={pointed.box} at={pointed.at} />}
    </section>
  );
}

interface LegendProps {
  isDifference: boolean;
  showsChange: boolean;
  isInverted: boolean;
  hasRegions: boolean;
  knowsOwners: boolean; // whose files are libraries'
}

function Legend(props: LegendProps) {
  const { isDifference, showsChange, isInverted, hasRegions, knowsOwners } = props;
  const marks = isDifference
    ? [
        ["grew", "grew"],
        ["shrank", "shrank"],
        ["same", showsChange ? "width: what changed" : "width: the larger of before and now"],
      ]
    : [
        ["program", knowsOwners ? "the program's own code" : "code"],
        ...(knowsOwners ? [["library", "libraries"]] : []),
        ["import", "imports and what nobody knows"],
        ...(hasRegions ? [["region", "◆ regions"]] : []),
      ];
  return (
    <p class="legend">
      {marks.map(([name, text]) => (
        <span key={name}>
          <i class={`mark ${name}`} />
          {text}
        </span>
      ))}
      <span>
        {isInverted ? "from the allocating line up to its callers" : "callers above, callees below"}
      </span>
    </p>
  );
}
