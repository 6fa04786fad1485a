// SPDX-License-Identifier: MIT
//
// The tree of dominators, as a picture and as rows to walk down: what is below a row goes when
// the row goes.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { typeColour, type Theme } from "./colours";
import type { Data } from "./data";
import { count, share, size } from "./format";
import { Kind, ROOTS, type Heap, type HeapNode } from "./heap";
import { Icicle } from "./icicle";
import { Bar } from "./parts";
import { ROW, Rows } from "./rows";

const INDENT = 15; // pixels a level
const PLACE = 36; // letters of a line's place
const DEEPEST_INDENT = 24; // levels; what is deeper says how deep it is

export interface ObjectTreeProps {
  data: Data;
  heap: Heap;
  theme: Theme;
  query: string;
  onQuery: (query: string) => void;
  selected: number; // a row; 0: none
  onSelected: (row: number) => void;
  onSource: (frame: number) => void;
}

// "retains 9.0 MiB (45.2%) in 30,100 objects"
function amounts(heap: Heap, row: number): string {
  const part = `${size(heap.retained[row])} (${share(heap.retained[row], heap.retained[0])})`;
  const objects = heap.objects[row];
  if (row === 0) return `${size(heap.retained[0])} in ${count(objects)} objects`;
  return objects === heap.members[row]
    ? part
    : `${part} in ${count(objects)} objects, itself ${size(heap.size[row])}`;
}

// Why it is where it is in the tree, if no reference says so.
function why(heap: Heap, row: number): string {
  const kind = ROOTS[heap.rootKind[row]];
  if (heap.joint[row] === 1) return "held by several";
  return kind === "" || heap.isNamedRoot(row) ? "" : kind;
}

function placeOf(data: Data, frame: number): string {
  return frame === 0 ? "" : data.place(frame);
}

// The end of a long place says more than its start.
function endOf(place: string): string {
  return place.length > PLACE ? `…${place.slice(1 - PLACE)}` : place;
}

// Those that hold much are open at first, and show where it goes.
function openAtFirst(heap: Heap): Set<number> {
  const open = new Set<number>();
  const stack = [heap.root];
  while (stack.length !== 0) {
    const node = stack.pop()!;
    if (node.width < heap.root.width * 0.12 || node.depth > 8) continue;
    if (heap.hasChildren(node.row)) open.add(node.row); // a leaf has nothing to close
    stack.push(...heap.childrenOf(node));
  }
  return open;
}

// Rows that are shown, from the top down; with [matches] those and all above them.
function visibleRows(heap: Heap, open: Set<number>, kept: Uint8Array | null): HeapNode[] {
  const rows: HeapNode[] = [];
  const stack = [...heap.childrenOf(heap.root)].reverse();
  while (stack.length !== 0) {
    const node = stack.pop()!;
    if (kept && !kept[node.row]) continue;
    rows.push(node);
    if (!open.has(node.row) && !(kept && kept[node.row] === 2)) continue;
    const children = heap.childrenOf(node);
    for (let i = children.length - 1; i >= 0; i--) stack.push(children[i]);
  }
  return rows;
}

// 1: what matches, 2: what leads to it.
function withAbove(heap: Heap, matches: Uint8Array | null): Uint8Array | null {
  if (matches === null) return null;
  const kept = matches.slice();
  for (let row = heap.count - 1; row > 0; row--) if (kept[row]) kept[heap.parent[row]] = 2;
  return kept;
}

export function ObjectTree(props: ObjectTreeProps) {
  const { data, heap, theme, query, onQuery, selected, onSelected, onSource } = props;
  const [zoomedRow, setZoomed] = useState(0);
  const [pointed, setPointed] = useState<HeapNode | null>(null);
  const [open, setOpen] = useState(() => openAtFirst(heap));
  const scroller = useRef<HTMLDivElement>(null);

  const matches = useMemo(
    () => heap.match(query, (frame) => placeOf(data, frame)),
    [heap, query],
  );
  const kept = useMemo(() => withAbove(heap, matches), [heap, matches]);
  const rows = useMemo(() => visibleRows(heap, open, kept), [heap, open, kept]);
  const zoomed = heap.nodeOf(zoomedRow);
  const current = selected === 0 ? null : heap.nodeOf(selected);
  const at = rows.findIndex((node) => node.row === selected);
  const found = matches && heap.matchedBytes(matches);

  const show = (row: number, isOpen: boolean) => {
    const next = new Set(open);
    if (isOpen) next.add(row);
    else next.delete(row);
    setOpen(next);
  };
  // Whatever was chosen elsewhere is opened, and brought into view.
  useEffect(() => {
    if (selected === 0) return;
    const above: number[] = [];
    for (let row = heap.parent[selected]; row !== 0; row = heap.parent[row]) above.push(row);
    if (above.some((row) => !open.has(row))) setOpen(new Set([...open, ...above]));
  }, [selected, heap]);
  useEffect(() => {
    const element = scroller.current;
    if (at < 0 || !element) return;
    const top = at * ROW;
    if (top < element.scrollTop) element.scrollTop = top;
    if (top + 2 * ROW > element.scrollTop + element.clientHeight)
      element.scrollTop = top + 2 * ROW - element.clientHeight; // below the head
  }, [at]);

  const go = (index: number) => {
    if (rows.length !== 0) onSelected(rows[Math.max(0, Math.min(rows.length - 1, index))].row);
  };
  const inward = () => {
    if (at < 0) go(0);
    else if (heap.hasChildren(selected) && rows[at + 1]?.parent !== rows[at]) show(selected, true);
    else if (heap.hasChildren(selected)) go(at + 1);
  };
  const outward = () => {
    if (at >= 0 && open.has(selected)) show(selected, false);
    else if (at >= 0 && heap.parent[selected] !== 0) onSelected(heap.parent[selected]);
  };
  const page = () => Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / ROW) - 2);
  const onKeyDown = (event: KeyboardEvent) => {
    const keys: Record<string, () => void> = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at < 0 ? 0 : at - 1),
      ArrowRight: inward,
      ArrowLeft: outward,
      Home: () => go(0),
      End: () => go(rows.length - 1),
      PageDown: () => go(at + page()),
      PageUp: () => go(at - page()),
      Enter: () => at >= 0 && setZoomed(selected),
      Escape: () => setZoomed(heap.parent[zoomedRow]),
      s: () => at >= 0 && heap.frame[selected] !== 0 && onSource(heap.frame[selected]),
    };
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  };

  const said = pointed ?? current ?? zoomed;
  return (
    <div class="flame objects-tree">
      <div class="controls">
        <label class="search">
          <span class="hidden">Search objects</span>
          <input
            type="search"
            id="object-search"
            value={query}
            placeholder="Search: name, type or file"
            onInput={(event) => onQuery(event.currentTarget.value)}
          />
        </label>
        <output class="matched" for="object-search" aria-live="polite">
          {found !== null && `matched ${share(found, heap.retained[0])} · ${size(found)}`}
        </output>
        <span class="stretch" />
        <button
          type="button"
          id="object-reset"
          disabled={zoomedRow === 0}
          onClick={() => setZoomed(0)}
        >
          Reset zoom
        </button>
      </div>
      <Icicle
        id="objects-picture"
        name="What keeps what alive. Arrow keys move, Enter zooms in, Escape zooms out, S shows the line that allocated it."
        tree={heap}
        looks={{
          theme,
          zoomed,
          colour: (node) =>
            typeColour(
              node.row === 0 || heap.kind[node.row] === Kind.Small
                ? ""
                : heap.strings[heap.type[node.row]],
              heap.isNamedRoot(node.row),
              theme,
            ),
          label: (node) => [
            node.row === 0
              ? `${size(heap.retained[0])}, all that is reached`
              : heap.label(node.row),
            placeOf(data, heap.frame[node.row]),
          ],
          isMatch: matches && ((node) => matches[node.row] === 1),
        }}
        current={current}
        pointed={pointed}
        share={0.42}
        othersAre="objects"
        onCurrent={(node) => node && onSelected(node.row)}
        onPointed={setPointed}
        onZoom={(node) => {
          setZoomed(node.row);
          onSelected(node.row);
        }}
        onKey={{ s: (node) => heap.frame[node.row] !== 0 && onSource(heap.frame[node.row]) }}
        tip={(node) => <Told data={data} heap={heap} row={node.row} />}
      />
      <div class="below">
        <p id="said" class="said" aria-live="polite">
          <b>{heap.what(said.row)}</b>
          {said.row !== 0 && (
            <code class="expression"> {heap.expression(said.row)}</code>
          )}
          <span> · {amounts(heap, said.row)}</span>
          {heap.frame[said.row] !== 0 && (
            <span>
              {" "}
              · allocated at{" "}
              <button type="button" class="link" onClick={() => onSource(heap.frame[said.row])}>
                {data.place(heap.frame[said.row])}
              </button>
            </span>
          )}
          {heap.kind[said.row] === Kind.One && heap.id[said.row] !== 0 && said.row !== 0 && (
            <span class="place"> · 0x{heap.id[said.row].toString(16)}</span>
          )}
        </p>
        <Legend />
      </div>
      <Rows
        name="Dominators: what is below a row goes when the row goes"
        count={rows.length}
        scroller={scroller}
        grid={{ role: "treegrid", active: at < 0 ? "" : `object-${selected}`, onKeyDown }}
        head={
          <>
            <th scope="col" class="name">
              Object
            </th>
            <th scope="col" class="bytes">
              Retains
            </th>
            <th scope="col" class="total">
              Itself
            </th>
            <th scope="col" class="blocks">
              Objects
            </th>
            <th scope="col" class="line">
              Allocated at
            </th>
          </>
        }
        line={(number) => (
          <Line
            key={rows[number].row}
            data={data}
            heap={heap}
            node={rows[number]}
            isOpen={rows[number + 1]?.parent === rows[number]}
            isSelected={rows[number].row === selected}
            isMatch={matches !== null && matches[rows[number].row] === 1}
            number={number}
            onSelected={onSelected}
            onOpen={(isOpen) => show(rows[number].row, isOpen)}
            onSource={onSource}
          />
        )}
      />
      <p class="left-out">
        Objects that are alike stand together; what retains less than {size(heap.facts.least)} does
        as “more objects”: all sums are exact.
      </p>
    </div>
  );
}

function Told({ data, heap, row }: { data: Data; heap: Heap; row: number }) {
  const frame = heap.frame[row];
  const text = frame === 0 ? "" : data.strings[data.frameText[frame]];
  return (
    <>
      <b>{heap.what(row)}</b> <span class="place">{why(heap, row)}</span>
      {row !== 0 && <div class="place">{heap.expression(row)}</div>}
      <div>{amounts(heap, row)}</div>
      {frame !== 0 && (
        <div class="place">
          allocated at {data.place(frame)} {data.functionName(frame)}
        </div>
      )}
      {text && <code>{text}</code>}
    </>
  );
}

function Legend() {
  return (
    <p class="legend">
      <span>
        <i class="mark root" />
        modules and frames
      </span>
      <span>
        <i class="mark program" />
        types of modules
      </span>
      <span>
        <i class="mark library" />
        built-in types
      </span>
      <span>
        <i class="mark same" />
        small ones together
      </span>
    </p>
  );
}

// How one gets to it and what it is; a way from a root is long, so it comes last.
function Name({ heap, row, isMatch }: { heap: Heap; row: number; isMatch: boolean }) {
  const isNamed = heap.isNamedRoot(row) && heap.hold(row) !== "";
  const isWay = heap.way[row] !== 0 && !isNamed;
  const rest = heap.kind[row] === Kind.Small ? "rest" : "";
  const hold = heap.hold(row) !== "" && (
    <code class={isNamed && isMatch ? "match" : isWay ? "expression" : ""}>{heap.hold(row)}</code>
  );
  const what = !isNamed && <span class={isMatch ? "match" : rest}>{heap.what(row)}</span>;
  return isWay ? (
    <>
      {what} {hold}
    </>
  ) : (
    <>
      {hold && <>{hold} </>}
      {what}
    </>
  );
}

interface LineProps {
  data: Data;
  heap: Heap;
  node: HeapNode;
  isOpen: boolean;
  isSelected: boolean;
  isMatch: boolean;
  number: number;
  onSelected: (row: number) => void;
  onOpen: (isOpen: boolean) => void;
  onSource: (frame: number) => void;
}

function Line(props: LineProps) {
  const { data, heap, node, isOpen, isSelected, isMatch, number, onSelected, onOpen } = props;
  const { row } = node;
  const hasChildren = heap.hasChildren(row);
  const frame = heap.frame[row];
  const siblings = node.parent!.children!;
  const note = why(heap, row);
  const deeper = node.depth > DEEPEST_INDENT ? `${node.depth} ` : "";
  return (
    <tr
      id={`object-${row}`}
      aria-level={node.depth}
      aria-setsize={siblings.length}
      aria-posinset={siblings.indexOf(node) + 1}
      aria-expanded={hasChildren ? isOpen : undefined}
      aria-selected={isSelected}
      aria-rowindex={number + 2}
      class={isSelected ? "marked" : ""}
      onClick={() => onSelected(row)}
      onDblClick={() => hasChildren && onOpen(!isOpen)}
    >
      <td class="name" role="gridcell">
        <span
          class="node"
          style={{ paddingLeft: `${(Math.min(node.depth, DEEPEST_INDENT) - 1) * INDENT}px` }}
        >
          <i
            class={`twist ${!hasChildren ? "leaf" : isOpen ? "open" : ""}`}
            aria-hidden="true"
            onClick={(event) => {
              event.stopPropagation();
              onSelected(row);
              if (hasChildren) onOpen(!isOpen);
            }}
            onDblClick={(event) => event.stopPropagation()} // two clicks have been told
          />
          <span class="place">{deeper}</span>
          <Name heap={heap} row={row} isMatch={isMatch} />
          {note !== "" && <span class="note"> {note}</span>}
        </span>
      </td>
      <td class="bytes" role="gridcell">
        <Bar part={heap.retained[row]} whole={heap.retained[0]} />
        <span class="share">{share(heap.retained[row], heap.retained[0])}</span>{" "}
        <span class="size">{size(heap.retained[row])}</span>
      </td>
      <td class="total" role="gridcell">
        {size(heap.size[row])}
      </td>
      <td class="blocks" role="gridcell">
        {count(heap.objects[row])}
      </td>
      <td class="line" role="gridcell">
        {frame !== 0 && (
          <button
            type="button"
            class="link"
            tabIndex={-1}
            title={`${data.place(frame)} ${data.functionName(frame)}`}
            onClick={(event) => {
              event.stopPropagation();
              props.onSource(frame);
            }}
          >
            {endOf(data.place(frame))}
          </button>
        )}
      </td>
    </tr>
  );
}
