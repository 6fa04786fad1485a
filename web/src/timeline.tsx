// SPDX-License-Identifier: MIT
//
// Heap and RSS over time, with the snapshots to choose: one to be shown, one to compare with.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { Theme } from "./colours";
import type { Data } from "./data";
import { clock, duration, size } from "./format";

const HEIGHT = 172;
const SECONDS = [
  0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200,
  86400, 172800, 604800,
];
const BYTES = Array.from({ length: 50 }, (_, power) => 2 ** power);

export interface TimelineProps {
  data: Data;
  theme: Theme;
  shown: number; // states
  compared: number | null;
  onShown: (state: number) => void;
  onCompared: (state: number | null) => void;
}

// The states that have a time, in its order.
export function statesByTime(data: Data): number[] {
  const timed = data.facts.states
    .map((_, state) => state)
    .filter((state) => data.facts.states[state].time_ns !== undefined);
  return timed.sort((a, b) => data.facts.states[a].time_ns! - data.facts.states[b].time_ns!);
}

export function stateName(data: Data, state: number): string {
  const { role, time_ns } = data.facts.states[state];
  if (time_ns !== undefined) return `after ${duration(time_ns / 1e9)}`;
  return role === "older"
    ? "older"
    : data.facts.states.length > 1 && data.facts.states[1].role === "older"
      ? "newer"
      : data.facts.measure;
}

const secondsOf = (data: Data, state: number) => data.facts.states[state].time_ns! / 1e9;

function drawMarks(plot: uPlot, props: TimelineProps): void {
  const { data, theme, shown, compared } = props;
  const { ctx, bbox } = plot;
  const ratio = uPlot.pxRatio;

  ctx.save();
  for (const state of statesByTime(data)) {
    const x = Math.round(plot.valToPos(secondsOf(data, state), "x", true));
    const isChosen = state === shown || state === compared;
    ctx.strokeStyle = isChosen ? theme.accent : theme.quiet;
    ctx.globalAlpha = isChosen ? 1 : 0.55;
    ctx.lineWidth = (isChosen ? 2 : 1) * ratio;
    ctx.setLineDash(state === compared ? [4 * ratio, 3 * ratio] : []);
    ctx.beginPath();
    ctx.moveTo(x, isChosen ? bbox.top - 3 * ratio : bbox.top + bbox.height - 6 * ratio);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    if (!isChosen) continue;
    ctx.setLineDash([]);
    ctx.fillStyle = theme.accent;
    ctx.font = `600 ${11 * ratio}px system-ui, sans-serif`;
    const isLate = x > bbox.left + bbox.width - 40 * ratio;
    ctx.textAlign = isLate ? "right" : "center";
    ctx.fillText(
      state === shown ? "shown" : "compared",
      x + (isLate ? 14 * ratio : 0),
      bbox.top - 8 * ratio,
    );
  }
  ctx.restore();
}

function makePlot(
  element: HTMLElement,
  props: TimelineProps,
  live: { current: TimelineProps },
): uPlot {
  const { data, theme } = props;
  const hasRss = data.points.some((point) => point.rss !== 0);
  const axis = {
    stroke: theme.quiet,
    grid: { stroke: theme.line, width: 1 },
    ticks: { stroke: theme.line, width: 1, size: 4 },
    font: "11px system-ui, sans-serif",
  };
  const options: uPlot.Options = {
    width: Math.max(element.clientWidth, 200),
    height: HEIGHT,
    legend: { show: false },
    padding: [20, 26, 0, 0], // room for the names of what is chosen
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
    scales: {
      x: { time: false },
      y: { range: (_plot, _least, most) => [0, Math.max(most * 1.08, 1024)] },
    },
    axes: [
      {
        ...axis,
        incrs: SECONDS,
        values: (_plot, values) => values.map(clock),
        space: 70,
        size: 26,
      },
      {
        ...axis,
        incrs: BYTES,
        values: (_plot, values) => values.map(size),
        space: 34,
        size: 66,
      },
    ],
    series: [
      {},
      {
        label: "heap",
        stroke: theme.live,
        width: 2,
        fill: theme.live + "2b",
        points: { show: data.points.length < 3 },
      },
      {
        label: "RSS",
        stroke: theme.rss,
        width: 1.5,
        dash: [5, 3],
        show: hasRss,
        points: { show: false },
      },
    ],
    hooks: { draw: [(plot) => drawMarks(plot, live.current)] },
  };
  const columns: uPlot.AlignedData = [
    data.points.map((point) => point.time),
    data.points.map((point) => point.live),
    data.points.map((point) => (point.rss === 0 ? null : point.rss)),
  ];
  return new uPlot(options, columns, element);
}

export function Timeline(props: TimelineProps) {
  const { data, theme, shown, compared } = props;
  const element = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const live = useRef(props);
  const reading = useRef<HTMLSpanElement>(null);
  live.current = props;

  useEffect(() => {
    const made = (plot.current = makePlot(element.current!, live.current, live));
    const observer = new ResizeObserver(() =>
      made.setSize({ width: Math.max(element.current!.clientWidth, 200), height: HEIGHT }),
    );
    observer.observe(element.current!);
    // Before uPlot, which takes a click at the edge for the end of a drag.
    const onClick = (event: MouseEvent) => {
      const seconds = made.posToVal(event.clientX - made.over.getBoundingClientRect().left, "x");
      choose(nearest(data, seconds), event.shiftKey);
    };
    const plotted = element.current!;
    plotted.addEventListener("click", onClick, true);
    made.over.addEventListener("mousemove", () => {
      const index = made.cursor.idx;
      const point = index === null || index === undefined ? null : data.points[index];
      reading.current!.textContent = point
        ? `at ${clock(point.time)}: heap ${size(point.live)}${point.rss ? `, RSS ${size(point.rss)}` : ""}`
        : "";
    });
    made.over.addEventListener("mouseleave", () => (reading.current!.textContent = ""));
    return () => {
      observer.disconnect();
      plotted.removeEventListener("click", onClick, true);
      made.destroy();
    };
  }, [data, theme]);
  useEffect(() => plot.current?.redraw(false), [shown, compared]);

  const choose = (state: number | null, isComparison: boolean) => {
    const { shown, compared, onShown, onCompared } = live.current;
    if (state === null) return;
    if (isComparison) onCompared(state === compared || state === shown ? null : state);
    else onShown(state);
  };
  const step = (by: number, isComparison: boolean) => {
    const order = statesByTime(data);
    const from = isComparison ? (compared ?? shown) : shown;
    const next = order[Math.min(Math.max(order.indexOf(from) + by, 0), order.length - 1)];
    if (next !== undefined && next !== from) choose(next, isComparison);
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === "ArrowLeft") step(-1, event.shiftKey);
    else if (event.key === "ArrowRight") step(1, event.shiftKey);
    else if (event.key === "Escape") props.onCompared(null);
    else return;
    event.preventDefault();
  };
  const order = statesByTime(data);
  const text = `shown ${stateName(data, shown)}${compared === null ? "" : `, compared with ${stateName(data, compared)}`}`;
  return (
    <section class="timeline" aria-label="Timeline">
      <div class="keys">
        <span>
          <i class="mark live" /> heap (traced)
        </span>
        <span>
          <i class="mark rss" /> RSS
        </span>
        <span class="reading" ref={reading} />
        <span class="stretch" />
        {order.length > 1 && (
          <span class="hint">
            click chooses a snapshot, shift-click one to compare with; or ← → and shift ← →
          </span>
        )}
      </div>
      <div
        class="plot"
        id="timeline"
        ref={element}
        tabIndex={0}
        role="slider"
        aria-label="Snapshot"
        aria-valuemin={0}
        aria-valuemax={Math.max(order.length - 1, 0)}
        aria-valuenow={Math.max(order.indexOf(shown), 0)}
        aria-valuetext={text}
        onKeyDown={onKey}
      />
    </section>
  );
}

function nearest(data: Data, seconds: number): number | null {
  let best: number | null = null;
  for (const state of statesByTime(data))
    if (
      best === null ||
      Math.abs(secondsOf(data, state) - seconds) < Math.abs(secondsOf(data, best) - seconds)
    )
      best = state;
  return best;
}
