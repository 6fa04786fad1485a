// SPDX-License-Identifier: MIT
//
// The object graph in tables: by type, by module, by the line that allocated, what C code
// holds; and what waits for the collector.
import { useMemo, useRef, useState } from "preact/hooks";
import type { Data } from "./data";
import { count, share, size } from "./format";
import type { Heap, HeapRow, TableName } from "./heap";
import { Bar } from "./parts";
import { clean } from "./reader";
import { Rows, SortHead } from "./rows";

type Column = "name" | "bytes" | "total" | "blocks" | "references";

const COLUMNS: Record<TableName, Column[]> = {
  types: ["bytes", "total", "blocks", "name"],
  modules: ["bytes", "blocks", "name"],
  lines: ["bytes", "total", "blocks", "name"],
  held: ["bytes", "blocks", "references", "name"],
};

const HEADS: Record<TableName, string> = {
  types: "Type",
  modules: "Module",
  lines: "Allocated at",
  held: "Type",
};

function valueOf(row: HeapRow, column: Column): number {
  if (column === "total") return row.size;
  if (column === "blocks") return row.count;
  return column === "references" ? row.references : row.retained;
}

interface TableProps {
  data: Data;
  heap: Heap;
  table: TableName;
  onSearch: (query: string) => void;
  onSource: (frame: number) => void;
}

export function ObjectTable({ data, heap, table, onSearch, onSource }: TableProps) {
  const [column, setColumn] = useState<Column>("bytes");
  const [isDescending, setDescending] = useState(true);
  const scroller = useRef<HTMLDivElement>(null);
  const all = heap.tables[table];
  const nameOf = (row: HeapRow) =>
    table !== "lines" ? row.name : row.frame === 0 ? "not known" : data.place(row.frame);
  const rows = useMemo(() => {
    const sorted = [...all].sort((a, b) =>
      column === "name"
        ? nameOf(a).localeCompare(nameOf(b))
        : valueOf(a, column) - valueOf(b, column) || a.retained - b.retained,
    );
    return isDescending ? sorted.reverse() : sorted;
  }, [all, column, isDescending]);

  const sortBy = (next: Column) => {
    setDescending(next === column ? !isDescending : next !== "name");
    setColumn(next);
    scroller.current!.scrollTop = 0;
  };
  const left = heap.facts.totals[table] - all.length;
  const heads: Record<Column, string> = {
    bytes: "Retains",
    total: "Themselves",
    blocks: "Objects",
    references: "References",
    name: HEADS[table],
  };
  return (
    <div class="table">
      <Rows
        name={HEADS[table]}
        count={rows.length}
        scroller={scroller}
        head={COLUMNS[table].map((one) => (
          <SortHead
            key={one}
            column={one}
            text={heads[one]}
            sorted={column}
            isDescending={isDescending}
            sortBy={sortBy}
          />
        ))}
        line={(number) => {
          const row = rows[number];
          const open = () => (table === "lines" ? onSource(row.frame) : onSearch(row.name));
          return (
            <tr key={number} aria-rowindex={number + 2}>
              <td class="bytes">
                <Bar part={row.retained} whole={heap.retained[0]} />
                <span class="share">{share(row.retained, heap.retained[0])}</span>{" "}
                <span class="size">{size(row.retained)}</span>
              </td>
              {COLUMNS[table].slice(1, -1).map((one) => (
                <td key={one} class={one}>
                  {one === "total" ? size(row.size) : count(valueOf(row, one))}
                </td>
              ))}
              <td class="name">
                {table === "lines" && row.frame === 0 ? (
                  <span class="place">{nameOf(row)}</span>
                ) : (
                  <button type="button" class="link" onClick={open}>
                    {nameOf(row)}
                  </button>
                )}
                {table === "lines" && row.frame !== 0 && (
                  <span class="place"> {data.functionName(row.frame)}</span>
                )}
              </td>
            </tr>
          );
        }}
      />
      {left > 0 && (
        <p class="left-out">{count(left)} that retain less than these are not in this page.</p>
      )}
    </div>
  );
}

export function Garbage({ heap }: { heap: Heap }) {
  const { objects, bytes, cycles, rows } = heap.facts.garbage;
  if (objects === 0)
    return <p class="nothing">Nothing was out of reach: the collector had nothing to do.</p>;
  return (
    <div class="table">
      <p>
        <b>{size(bytes)}</b> in {count(objects)} objects, in {count(cycles)}{" "}
        {cycles === 1 ? "cycle" : "cycles"}, can no longer be reached: they go at the next
        collection of their generation.
      </p>
      <Rows
        name="Cycles"
        count={rows.length}
        head={
          <>
            <th scope="col" class="bytes">
              Retains
            </th>
            <th scope="col" class="name">
              One of its objects
            </th>
          </>
        }
        line={(number) => (
          <tr key={number} aria-rowindex={number + 2}>
            <td class="bytes">
              <Bar part={rows[number].retained} whole={bytes} />
              <span class="size">{size(rows[number].retained)}</span>
            </td>
            <td class="name">{clean(rows[number].text)}</td>
          </tr>
        )}
      />
    </div>
  );
}
