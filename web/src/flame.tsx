// SPDX-License-Identifier: MIT
//
// The flame graph with its switches, its search, and a line that says what is looked at.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { changeColour, frameColour, type Theme } from "./colours";
import { Owner } from "./data";
import type { Label } from "./flame_canvas";
import { count, countChange, share, size, sizeChange } from "./format";
import { Icicle } from "./icicle";
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

function Told({ weights, node }: { weights: Weights; node: Node }) {
  const { data } = weights;
  const text = data.strings[data.frameText[node.frame]];
  return (
    <>
      <b>{title(weights, node)}</b>
      {node.frame !== 0 && !data.isRegion(node.frame) && (
        <div class="place">{data.place(node.frame)}</div>
      )}
      {text && <code>{text}</code>}
      <div>{amounts(weights, node)}</div>
    </>
  );
}

// How the boxes look; [largest] is the largest change that is shown.
function colourOf(weights: Weights, theme: Theme, largest: number): (node: Node) => string {
  return (node) => {
    if (weights.choice.compared !== null)
      return changeColour(node.sums.bytes - node.sums.oldBytes, largest, theme);
    if (node.frame === 0) return theme.isDark ? "hsl(220 8% 24%)" : "hsl(220 14% 90%)";
    return frameColour(weights.data, node.frame, theme);
  };
}

function labelOf({ data, all, choice }: Weights): (node: Node) => Label {
  const change = choice.compared === null ? "" : ` (${sizeChange(all.bytes - all.oldBytes)})`;
  return (node) => {
    if (node.frame === 0) return [`${size(all.bytes)}${change}, all of it`, ""];
    if (data.isRegion(node.frame)) return [`◆ ${data.label(node.frame)}`, ""];
    return [data.label(node.frame), data.place(node.frame)];
  };
}

// Of a node and all below it, as far as it may be drawn.
function largestChange(tree: Tree, zoomed: Node): number {
  const stack = [...tree.childrenOf(zoomed)];
  let largest = 0;
  while (stack.length !== 0) {
    const node = stack.pop()!;
    if (node.width < zoomed.width / 5000) continue; // narrower than a pixel
    largest = Math.max(largest, Math.abs(node.sums.bytes - node.sums.oldBytes));
    stack.push(...tree.childrenOf(node));
  }
  return largest;
}

export function Flame({ weights, callees, theme, query, onQuery, onSource }: FlameProps) {
  const { data } = weights;
  const isDifference = weights.choice.compared !== null;
  const [isInverted, setInverted] = useState(false);
  const [foldsRecursion, setFolds] = useState(false);
  const [byFunction, setByFunction] = useState(false);
  const [changeOnly, setChangeOnly] = useState(false);
  const [wanted, setZoomed] = useState<Node | null>(null);
  const [wantedPointed, setPointed] = useState<Node | null>(null);
  const [wantedCurrent, setCurrent] = useState<Node | null>(null);
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
  const largest = useMemo(
    () => (isDifference ? largestChange(tree, zoomed) : 0),
    [tree, zoomed, isDifference],
  );
  const found = useMemo(() => matchFrames(data, query), [data, query]);
  const matches = found instanceof Uint8Array ? found : null;
  const matched = useMemo(
    () => (matches ? matchedSums(weights, matches) : null),
    [weights, matches],
  );

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

  const said = current ?? wantedPointed ?? zoomed;
  const looks = {
    theme,
    zoomed,
    colour: colourOf(weights, theme, largest),
    label: labelOf(weights),
    isMatch: matches && ((node: Node) => matches[node.frame] === 1),
  };
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
          onClick={() => setZoomed(tree.root)}
        >
          Reset zoom
        </button>
      </div>
      <Icicle
        id="flame"
        name="Flame graph. Arrow keys move, Enter zooms in, Escape zooms out, S shows the source."
        tree={tree}
        looks={looks}
        current={current}
        pointed={wantedPointed}
        share={0.62}
        othersAre="frames"
        onCurrent={setCurrent}
        onPointed={setPointed}
        onZoom={setZoomed}
        onKey={{ s: (node) => node.frame !== 0 && onSource(node.frame) }}
        tip={(node) => <Told weights={weights} node={node} />}
      />
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
