// SPDX-License-Identifier: MIT
//
// The table: rows by one key, sorted by any column.
import { useMemo, useRef, useState } from "preact/hooks";
import { count, countChange, share, size, sizeChange } from "./format";
import { group, groupsFrames, KEYS, type Group, type Key } from "./groups";
import { Bar } from "./parts";
import { Rows, SortHead } from "./rows";
import type { Callees, Only, Weights } from "./weights";

export interface TableProps {
  weights: Weights;
  callees: Callees;
  onSource: (frame: number) => void;
  onSearch: (query: string) => void;
  onOnly: (only: Only) => void;
}

type Column = "name" | "bytes" | "total" | "blocks" | "change";

function valueOf(row: Group, column: Column): number {
  if (column === "bytes") return row.self.bytes;
  if (column === "blocks") return row.self.blocks;
  if (column === "change") return row.self.bytes - row.self.oldBytes;
  return row.total ? row.total.bytes : 0;
}

function sorted(rows: Group[], column: Column, isDescending: boolean): Group[] {
  const by = (row: Group) =>
    column === "change" ? Math.abs(valueOf(row, column)) : valueOf(row, column);
  const order =
    column === "name"
      ? (a: Group, b: Group) => a.name.localeCompare(b.name)
      : (a: Group, b: Group) => by(a) - by(b) || a.self.bytes - b.self.bytes;
  const result = [...rows].sort(order);
  return isDescending ? result.reverse() : result;
}

export function Table({ weights, callees, onSource, onSearch, onOnly }: TableProps) {
  const isDifference = weights.choice.compared !== null;
  const [key, setKey] = useState<Key>("line");
  const [filter, setFilter] = useState("");
  const [wantedColumn, setColumn] = useState<Column | null>(null);
  const [isDescending, setDescending] = useState(true);
  const scroller = useRef<HTMLDivElement>(null);

  const hasTotals = groupsFrames(key);
  const available: Column[] = [
    "bytes",
    ...(hasTotals ? ["total" as Column] : []),
    "blocks",
    ...(isDifference ? ["change" as Column] : []),
    "name",
  ];
  const column =
    wantedColumn && available.includes(wantedColumn)
      ? wantedColumn
      : isDifference
        ? "change"
        : "bytes";
  const all = useMemo(() => group(weights, callees, key), [weights, callees, key]);
  const rows = useMemo(() => {
    const lower = filter.trim().toLowerCase();
    const kept =
      lower === ""
        ? all
        : all.filter((row) => `${row.name} ${row.place}`.toLowerCase().includes(lower));
    return sorted(kept, column, isDescending);
  }, [all, filter, column, isDescending]);
  const largestChange = useMemo(
    () => all.reduce((most, row) => Math.max(most, Math.abs(valueOf(row, "change"))), 0),
    [all],
  );

  const sortBy = (next: Column) => {
    setDescending(next === column ? !isDescending : next !== "name");
    setColumn(next);
    scroller.current!.scrollTop = 0;
  };
  const open = (row: Group) => {
    if (key === "thread" || key === "domain" || key === "region") onOnly({ key, name: row.name });
    else if (key === "line" || key === "file") onSource(row.frame);
    else
      onSearch(
        key === "function" ? `${weights.data.functionName(row.frame)} ${row.place}` : row.name,
      );
  };
  const heads: Record<Column, string> = {
    bytes: hasTotals ? "Allocated here" : "Bytes",
    total: "With callees",
    blocks: "Blocks",
    change: "Change",
    name: key[0].toUpperCase() + key.slice(1),
  };

  return (
    <section class="table">
      <div class="controls">
        <label>
          by{" "}
          <select
            id="key"
            value={key}
            onChange={(event) => setKey(event.currentTarget.value as Key)}
          >
            {KEYS.map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </select>
        </label>
        <label class="search">
          <span class="hidden">Filter rows</span>
          <input
            type="search"
            id="filter"
            value={filter}
            placeholder="Filter rows"
            onInput={(event) => setFilter(event.currentTarget.value)}
          />
        </label>
        <output aria-live="polite">
          {count(rows.length)} {rows.length === 1 ? "row" : "rows"}
        </output>
      </div>
      <Rows
        name="Rows"
        count={rows.length}
        scroller={scroller}
        head={available.map((one) => (
          <SortHead
            key={one}
            column={one}
            text={heads[one]}
            sorted={column}
            isDescending={isDescending}
            sortBy={sortBy}
          />
        ))}
        line={(number) => (
          <Line
            key={number}
            row={rows[number]}
            number={number}
            columns={available}
            weights={weights}
            largestChange={largestChange}
            open={open}
          />
        )}
      />
    </section>
  );
}

interface LineProps {
  row: Group;
  number: number;
  columns: Column[];
  weights: Weights;
  largestChange: number;
  open: (row: Group) => void;
}

function Line({ row, number, columns, weights, largestChange, open }: LineProps) {
  const { all } = weights;
  const change = valueOf(row, "change");
  const cells: Record<Column, preact.JSX.Element> = {
    bytes: (
      <td class="bytes" key="bytes">
        <Bar part={row.self.bytes} whole={all.bytes} />
        <span class="share">{share(row.self.bytes, all.bytes)}</span>{" "}
        <span class="size">{size(row.self.bytes)}</span>
      </td>
    ),
    total: (
      <td class="total" key="total">
        {row.total ? size(row.total.bytes) : ""}
      </td>
    ),
    blocks: (
      <td class="blocks" key="blocks">
        {count(row.self.blocks)}
        {columns.includes("change") && row.self.blocks !== row.self.oldBlocks && (
          <small> {countChange(row.self.blocks - row.self.oldBlocks)}</small>
        )}
      </td>
    ),
    change: (
      <td class={`change ${change > 0 ? "up" : change < 0 ? "down" : ""}`} key="change">
        {change !== 0 && (
          <>
            <Bar part={change} whole={largestChange} change />{" "}
            <span class="size">{sizeChange(change)}</span>
          </>
        )}
      </td>
    ),
    name: (
      <td class="name" key="name">
        <button
          type="button"
          class="link"
          title={row.place ? `${row.name} ${row.place}` : row.name}
          onClick={() => open(row)}
        >
          {row.name}
        </button>
        {row.place && <span class="place"> {row.place}</span>}
      </td>
    ),
  };
  return <tr aria-rowindex={number + 2}>{columns.map((column) => cells[column])}</tr>;
}
