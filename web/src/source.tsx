// SPDX-License-Identifier: MIT
//
// A file's lines with what they hold.  The capture has the text of the lines that frames stand
// at, and no others.
import { useEffect, useMemo, useRef } from "preact/hooks";
import { Owner } from "./data";
import { count, share, size, sizeChange } from "./format";
import { addTotals, groupFrames } from "./groups";
import { Bar } from "./parts";
import { add, noSums, type Callees, type Sums, type Weights } from "./weights";

export interface SourceProps {
  weights: Weights;
  callees: Callees;
  frame: number; // whose file and line are looked at; 0: the file that holds most
  onFrame: (frame: number) => void;
  onSearch: (query: string) => void;
}

interface FileRow {
  file: number;
  frame: number;
  self: Sums;
}

interface LineRow {
  line: number;
  frame: number;
  text: string;
  functions: string;
  self: Sums;
  total: Sums;
}

function filesOf(weights: Weights): FileRow[] {
  const { data, self } = weights;
  const rows = new Map<number, FileRow>();
  for (let frame = 1; frame < data.frameCount; frame++) {
    const file = data.frameFile[frame];
    if (file !== 0 && !data.isRegion(frame) && data.frameLine[frame] !== 0 && !rows.has(file))
      rows.set(file, { file, frame, self: noSums() });
  }
  for (let path = 1; path < data.pathCount; path++) {
    const row = rows.get(data.frameFile[data.pathFrame[path]]);
    if (row) add(row.self, self, path);
  }
  return [...rows.values()].sort(
    (a, b) =>
      b.self.bytes - a.self.bytes ||
      data.files[a.file].shown.localeCompare(data.files[b.file].shown),
  );
}

// Those that hold anything, and the one that is asked for: it may have allocated objects that
// were not traced.
function linesOf(weights: Weights, callees: Callees, file: number, wanted: number): LineRow[] {
  const { data } = weights;
  const { groupOf, frames } = groupFrames(data, "line");
  const totals = frames.map(noSums);
  const selves = frames.map(noSums);
  addTotals(weights, callees, groupOf, totals);
  for (let path = 1; path < data.pathCount; path++)
    add(selves[groupOf[data.pathFrame[path]]], weights.self, path);

  const functions = new Map<number, Set<string>>();
  const texts = new Map<number, string>();
  for (let frame = 1; frame < data.frameCount; frame++) {
    if (data.frameFile[frame] !== file) continue;
    const number = groupOf[frame];
    if (!functions.has(number)) functions.set(number, new Set());
    functions.get(number)!.add(data.functionName(frame));
    if (data.frameText[frame] !== 0) texts.set(number, data.strings[data.frameText[frame]]);
  }
  const rows = [...functions].map(([number, names]) => ({
    line: data.frameLine[frames[number]],
    frame: frames[number],
    text: texts.get(number) ?? "",
    functions: [...names].filter((name) => name !== "").join(", "),
    self: selves[number],
    total: totals[number],
  }));
  const isThere = (sums: Sums) => sums.bytes !== 0 || sums.oldBytes !== 0;
  return rows
    .filter(
      (row) => row.line !== 0 && (row.line === wanted || isThere(row.self) || isThere(row.total)),
    )
    .sort((a, b) => a.line - b.line);
}

export function Source({ weights, callees, frame, onFrame, onSearch }: SourceProps) {
  const { data } = weights;
  const files = useMemo(() => filesOf(weights), [weights]);
  // A reader wants their own code first.
  const own = files.find((row) => data.files[row.file].owner === Owner.Program);
  const file = frame !== 0 ? data.frameFile[frame] : ((own ?? files[0])?.file ?? 0);
  const line = frame === 0 ? 0 : data.frameLine[frame];
  const lines = useMemo(
    () => linesOf(weights, callees, file, line),
    [weights, callees, file, line],
  );
  const most = lines.reduce((largest, row) => Math.max(largest, row.total.bytes), 0);
  const marked = useRef<HTMLTableRowElement>(null);
  const isDifference = weights.choice.compared !== null;

  useEffect(() => marked.current?.scrollIntoView({ block: "center" }), [frame]);
  if (files.length === 0) return <p class="nothing">No line of source stands in this capture.</p>;
  return (
    <section class="source">
      <div class="controls">
        <label class="file">
          File{" "}
          <select
            id="file"
            value={String(file)}
            onChange={(event) =>
              onFrame(files.find((row) => String(row.file) === event.currentTarget.value)!.frame)
            }
          >
            {files.map((row) => (
              <option key={row.file} value={String(row.file)}>
                {size(row.self.bytes)} · {data.files[row.file].shown}
              </option>
            ))}
          </select>
        </label>
        <span class="place">{data.files[file].name}</span>
      </div>
      <div class="rows" tabIndex={0} role="region" aria-label="Source lines">
        <table>
          <thead>
            <tr>
              <th scope="col" class="bytes">
                Allocated here
              </th>
              <th scope="col" class="total">
                With callees
              </th>
              {isDifference && (
                <th scope="col" class="change">
                  Change
                </th>
              )}
              <th scope="col" class="line">
                Line
              </th>
              <th scope="col" class="name">
                Source
              </th>
            </tr>
          </thead>
          <tbody>
            {lines.map((row, index) => (
              <SourceLine
                key={row.line}
                row={row}
                gap={index > 0 && lines[index - 1].line + 1 < row.line}
                isMarked={row.line === line}
                marked={marked}
                most={most}
                weights={weights}
                onSearch={onSearch}
              />
            ))}
          </tbody>
        </table>
        <p class="note">
          {lines.length === 1 ? "The one line" : `The ${count(lines.length)} lines`} of this file
          that allocated or called what did. A capture does not have the others.
        </p>
      </div>
    </section>
  );
}

interface SourceLineProps {
  row: LineRow;
  gap: boolean;
  isMarked: boolean;
  marked: preact.RefObject<HTMLTableRowElement>;
  most: number;
  weights: Weights;
  onSearch: (query: string) => void;
}

function SourceLine({ row, gap, isMarked, marked, most, weights, onSearch }: SourceLineProps) {
  const isDifference = weights.choice.compared !== null;
  const change = row.self.bytes - row.self.oldBytes;
  const classes = [gap ? "gap" : "", isMarked ? "marked" : ""].join(" ").trim();
  return (
    <tr class={classes} ref={isMarked ? marked : undefined}>
      <td class="bytes">
        {row.self.bytes !== 0 && (
          <>
            <Bar part={row.self.bytes} whole={most} />{" "}
            <span class="share">{share(row.self.bytes, weights.all.bytes)}</span>{" "}
            <span class="size">{size(row.self.bytes)}</span>
          </>
        )}
      </td>
      <td class="total">{size(row.total.bytes)}</td>
      {isDifference && (
        <td class={`change ${change > 0 ? "up" : change < 0 ? "down" : ""}`}>
          {change === 0 ? "" : sizeChange(change)}
        </td>
      )}
      <td class="line">
        <button
          type="button"
          class="link"
          title="Show in the flame graph"
          onClick={() => onSearch(weights.data.place(row.frame))}
        >
          {row.line}
        </button>
      </td>
      <td class="name">
        {row.text ? (
          <code>{row.text}</code>
        ) : (
          <span class="place">(the capture does not have this line)</span>
        )}
        {row.functions && <span class="place function"> {row.functions}</span>}
      </td>
    </tr>
  );
}
