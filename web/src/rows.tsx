// SPDX-License-Identifier: MIT
//
// Rows of a table that scroll.  Only those in view are in the page, so that a hundred thousand
// of them cost as little as a hundred.
import type { ComponentChildren, Ref } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

export const ROW = 30;
const SPARE = 10; // rows above and below what is in view

export interface RowsProps {
  name: string;
  count: number;
  head: ComponentChildren; // of one row
  line: (number: number) => ComponentChildren;
  scroller?: Ref<HTMLDivElement>;
  // For rows that are more than a table's: a role, who has the focus, what keys do.
  grid?: {
    role: "treegrid";
    active: string; // the row's id
    onKeyDown: (event: KeyboardEvent) => void;
  };
}

export function Rows({ name, count, head, line, scroller, grid }: RowsProps) {
  const own = useRef<HTMLDivElement>(null);
  const [scrolled, setScrolled] = useState(0);
  const [height, setHeight] = useState(600);
  const first = Math.max(0, Math.min(count, Math.floor(scrolled / ROW)) - SPARE);
  const end = Math.min(count, Math.ceil((scrolled + height) / ROW) + SPARE);

  useLayoutEffect(() => {
    const observer = new ResizeObserver(() => setHeight(own.current!.clientHeight));
    observer.observe(own.current!);
    return () => observer.disconnect();
  }, []);

  const lines = [];
  for (let number = first; number < end; number++) lines.push(line(number));
  return (
    <div
      class="rows"
      ref={(element) => {
        own.current = element;
        if (typeof scroller === "function") scroller(element);
        else if (scroller) scroller.current = element;
      }}
      tabIndex={grid ? -1 : 0}
      role={grid ? undefined : "region"}
      aria-label={grid ? undefined : name}
      onScroll={(event) => setScrolled(event.currentTarget.scrollTop)}
    >
      <table
        aria-rowcount={count + 1}
        {...(grid && {
          role: grid.role,
          tabIndex: 0,
          "aria-label": name,
          "aria-activedescendant": grid.active,
          onKeyDown: grid.onKeyDown,
        })}
      >
        <thead>
          <tr>{head}</tr>
        </thead>
        <tbody>
          {first > 0 && <Space rows={first} />}
          {lines}
          {end < count && <Space rows={count - end} />}
        </tbody>
      </table>
    </div>
  );
}

function Space({ rows }: { rows: number }) {
  return (
    <tr class="space" aria-hidden="true">
      <td style={{ height: `${rows * ROW}px` }} />
    </tr>
  );
}

// The head of a column by which rows can be sorted.
export function SortHead<C extends string>({
  column,
  text,
  sorted,
  isDescending,
  sortBy,
}: {
  column: C;
  text: string;
  sorted: C;
  isDescending: boolean;
  sortBy: (column: C) => void;
}) {
  const isSorted = column === sorted;
  return (
    <th
      scope="col"
      class={column}
      aria-sort={!isSorted ? undefined : isDescending ? "descending" : "ascending"}
    >
      <button type="button" data-sort={column} onClick={() => sortBy(column)}>
        {text}
        <span aria-hidden="true">{!isSorted ? "" : isDescending ? " ▾" : " ▴"}</span>
      </button>
    </th>
  );
}
