// SPDX-License-Identifier: MIT
//
// The object graph: what looks like a leak, then who keeps what alive, as a tree and in tables.
import { useState } from "preact/hooks";
import type { Theme } from "./colours";
import type { Data } from "./data";
import { count, duration, size } from "./format";
import { type Heap, TABLES, type TableName } from "./heap";
import { Garbage, ObjectTable } from "./object_tables";
import { ObjectTree } from "./object_tree";
import { Switch } from "./parts";
import { Suspects } from "./suspects";

type Part = "tree" | TableName | "garbage";

const NAMES: Record<Part, string> = {
  tree: "Tree",
  types: "By type",
  modules: "By module",
  lines: "By line",
  held: "Held from C",
  garbage: "Garbage",
};

export interface ObjectsProps {
  data: Data;
  theme: Theme;
  onSource: (frame: number) => void;
}

// What the picture says of itself; what the numbers are stands in their titles.
function Facts({ heap }: { heap: Heap }) {
  const { objects, bytes, references, garbage, held_objects } = heap.facts.summary;
  const { time_ns } = heap.facts;
  const facts: (readonly [string, string, string])[] = [
    ...(time_ns === undefined
      ? []
      : [["Looked at", `after ${duration(time_ns / 1e9)}`, "since the capture began"] as const]),
    ["Objects", count(objects), ""],
    ["Together", size(bytes), "what the program and the interpreter can reach"],
    ["References", count(references), ""],
    [
      "Explained",
      `${(heap.explained * 100).toFixed(2)}%`,
      "of all references that objects count, so many were found: what is left is held from C",
    ],
    ["Held from C", count(held_objects), "objects with references that nobody can see"],
    ["Garbage", count(garbage), "objects that nothing reaches: they wait for the collector"],
  ];
  return (
    <dl class="numbers small">
      {facts.map(([name, value, note]) => (
        <div class="number" key={name} title={note}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function momentOf(heap: Heap): string {
  const { time_ns } = heap.facts;
  return time_ns === undefined ? "the heap" : `after ${duration(time_ns / 1e9)}`;
}

export function Objects({ data, theme, onSource }: ObjectsProps) {
  const [number, setNumber] = useState(0);
  const heap = data.heaps[number];
  const chooser = data.heaps.length > 1 && (
    <label class="moment">
      Objects{" "}
      <select
        id="heap"
        value={String(number)}
        onChange={(event) => setNumber(+event.currentTarget.value)}
      >
        {data.heaps.map((one, index) => (
          <option key={index} value={String(index)}>
            {momentOf(one)} · {size(one.facts.summary.bytes)}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <section class="objects">
      {chooser}
      <Picture key={number} data={data} heap={heap} theme={theme} onSource={onSource} />
    </section>
  );
}

// Of one heap; another begins anew.
function Picture({ data, heap, theme, onSource }: ObjectsProps & { heap: Heap }) {
  const [part, setPart] = useState<Part>("tree");
  const [query, setQuery] = useState("");
  const [selected, setSelected] = useState(0);
  const hasLines = heap.tables.lines.length > 1;
  const parts: Part[] = ["tree", ...TABLES.filter((one) => one !== "lines" || hasLines), "garbage"];

  const openObject = (row: number) => {
    setPart("tree");
    setQuery("");
    setSelected(row);
    requestAnimationFrame(() => document.getElementById("dominators")?.scrollIntoView());
  };
  return (
    <>
      <Facts heap={heap} />
      <h2>What looks like a leak</h2>
      <Suspects data={data} heap={heap} onObject={openObject} onSource={onSource} />
      <h2 id="dominators">
        Who keeps what alive <small>What is below goes when what is above it goes.</small>
      </h2>
      <div class="controls parts" role="group" aria-label="How it is shown">
        {parts.map((one) => (
          <Switch key={one} on={part === one} set={() => setPart(one)} id={`part-${one}`}>
            {NAMES[one]}
          </Switch>
        ))}
      </div>
      {part === "tree" ? (
        <ObjectTree
          data={data}
          heap={heap}
          theme={theme}
          query={query}
          onQuery={setQuery}
          selected={selected}
          onSelected={setSelected}
          onSource={onSource}
        />
      ) : part === "garbage" ? (
        <Garbage heap={heap} />
      ) : (
        <ObjectTable
          key={part}
          data={data}
          heap={heap}
          table={part}
          onSource={onSource}
          onSearch={(text) => {
            setQuery(text);
            setPart("tree");
          }}
        />
      )}
    </>
  );
}
