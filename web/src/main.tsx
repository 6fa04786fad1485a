// SPDX-License-Identifier: MIT
//
// The page: verdict and numbers first, then the timeline, then one of the views.
import { render } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { themeOfPage, type Theme } from "./colours";
import { readData, type Data } from "./data";
import { Details, notes } from "./details";
import { Flame } from "./flame";
import { count, duration, size, sizeChange } from "./format";
import type { Heap } from "./heap";
import { Objects } from "./objects";
import { clean } from "./reader";
import { Source } from "./source";
import { Table } from "./table";
import { stateName, Timeline } from "./timeline";
import { Callees, Weights, type Only } from "./weights";

const VIEWS = [
  ["flame", "Flame graph"],
  ["table", "Table"],
  ["source", "Source"],
  ["objects", "Objects"],
  ["details", "Details"],
] as const;
type View = (typeof VIEWS)[number][0];

type Wish = "auto" | "light" | "dark";

// The system's wish, or the reader's.
function useTheme(): [Theme, Wish, (wish: Wish) => void] {
  const [wish, setWish] = useState<Wish>("auto");
  const [theme, setTheme] = useState(themeOfPage);
  useEffect(() => {
    const root = document.documentElement;
    const query = matchMedia("(prefers-color-scheme: dark)");
    const update = () => setTheme(themeOfPage());
    if (wish === "auto") delete root.dataset.theme;
    else root.dataset.theme = wish;
    update();
    query.addEventListener("change", update);
    return () => query.removeEventListener("change", update);
  }, [wish]);
  return [theme, wish, setWish];
}

function ThemeSwitch({
  wish,
  theme,
  set,
}: {
  wish: Wish;
  theme: Theme;
  set: (wish: Wish) => void;
}) {
  const next: Wish =
    wish === "auto" ? (theme.isDark ? "light" : "dark") : wish === "dark" ? "light" : "dark";
  return (
    <button
      type="button"
      id="theme"
      class="theme"
      aria-label={`Switch to the ${next} theme`}
      title={`Switch to the ${next} theme`}
      onClick={() => set(next)}
    >
      {next === "dark" ? "☾" : "☀"}
    </button>
  );
}

function Number({ name, value, note }: { name: string; value: string; note?: string }) {
  return (
    <div class="number">
      <dt>{name}</dt>
      <dd>
        {value}
        {note && <small> {note}</small>}
      </dd>
    </div>
  );
}

function Numbers({
  data,
  shown,
  compared,
}: {
  data: Data;
  shown: number;
  compared: number | null;
}) {
  const { states, measure, program } = data.facts;
  const state = states[shown];
  const old = compared === null ? null : states[compared];
  const last = data.points[data.points.length - 1];
  const time = state.time_ns === undefined ? null : state.time_ns / 1e9;
  const point =
    time === null ? last : (data.points.filter((one) => one.time <= time + 1e-6).pop() ?? last);
  return (
    <dl class="numbers">
      <Number
        name={measure[0].toUpperCase() + measure.slice(1)}
        value={size(state.bytes)}
        note={old ? sizeChange(state.bytes - old.bytes) : undefined}
      />
      <Number name="Blocks" value={count(state.blocks)} />
      {point && <Number name="Peak" value={size(last.peak)} />}
      {point && point.rss !== 0 && (
        <Number
          name="RSS"
          value={size(point.rss)}
          note={
            program && program.memory_limit !== 0 ? `of ${size(program.memory_limit)}` : undefined
          }
        />
      )}
      {last && <Number name="Lasted" value={duration(last.time)} />}
      {point && point.overhead !== 0 && <Number name="memwhy's own" value={size(point.overhead)} />}
    </dl>
  );
}

function Chooser({
  data,
  shown,
  compared,
  onShown,
  onCompared,
}: {
  data: Data;
  shown: number;
  compared: number | null;
  onShown: (state: number) => void;
  onCompared: (state: number | null) => void;
}) {
  const { states } = data.facts;
  if (states.length < 2) return null;
  const options = states
    .map((state, index) => ({
      index,
      text: `${stateName(data, index)} · ${size(state.bytes)}`,
      time: state.time_ns ?? -1,
    }))
    .sort((a, b) => a.time - b.time);
  return (
    <div class="chooser">
      <label>
        Snapshot{" "}
        <select
          id="shown"
          value={String(shown)}
          onChange={(event) => onShown(+event.currentTarget.value)}
        >
          {options.map(({ index, text }) => (
            <option key={index} value={String(index)}>
              {text}
            </option>
          ))}
        </select>
      </label>
      <label>
        compared with{" "}
        <select
          id="compared"
          value={compared === null ? "" : String(compared)}
          onChange={(event) =>
            onCompared(event.currentTarget.value === "" ? null : +event.currentTarget.value)
          }
        >
          <option value="">nothing</option>
          {options
            .filter(({ index }) => index !== shown)
            .map(({ index, text }) => (
              <option key={index} value={String(index)}>
                {text}
              </option>
            ))}
        </select>
      </label>
    </div>
  );
}

// A capture may have objects, or nothing else.
function hasBlocks(data: Data): boolean {
  return data.rowCount > 1 || data.heaps.length === 0;
}

function viewsOf(data: Data) {
  return VIEWS.filter(([name]) => {
    if (name === "objects") return data.heaps.length !== 0;
    return hasBlocks(data) || name === "source" || name === "details";
  });
}

function Tabs({ data, view, set }: { data: Data; view: View; set: (view: View) => void }) {
  const views = viewsOf(data);
  const onKey = (event: KeyboardEvent) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const index = views.findIndex(([name]) => name === view);
    const [next] = views[(index + step + views.length) % views.length];
    set(next);
    document.getElementById(`tab-${next}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label="Views" onKeyDown={onKey}>
      {views.map(([name, text]) => (
        <button
          key={name}
          type="button"
          role="tab"
          id={`tab-${name}`}
          aria-controls="view"
          aria-selected={view === name}
          tabIndex={view === name ? 0 : -1}
          onClick={() => set(name)}
        >
          {text}
        </button>
      ))}
    </div>
  );
}

function verdictOf(heap: Heap): string {
  return clean(heap.facts.verdict);
}

function Page({ data }: { data: Data }) {
  const { facts } = data;
  const [theme, wish, setWish] = useTheme();
  const [shown, setShown] = useState(0);
  const [compared, setCompared] = useState<number | null>(
    facts.states[1]?.role === "older" ? 1 : null,
  );
  const [only, setOnly] = useState<Only | null>(null);
  const [view, setView] = useState<View>(hasBlocks(data) ? "flame" : "objects");
  const [query, setQuery] = useState("");
  const [frame, setFrame] = useState(0);
  const callees = useMemo(() => new Callees(data), [data]);
  const weights = useMemo(
    () => new Weights(data, { shown, compared, only }),
    [data, shown, compared, only],
  );

  const choose = (state: number) => {
    setShown(state);
    if (state === compared) setCompared(null);
  };
  const openSource = (one: number) => {
    setFrame(one);
    setView("source");
  };
  const openSearch = (text: string) => {
    setQuery(text);
    setView("flame");
  };
  const openOnly = (one: Only) => {
    setOnly(one);
    setView("flame");
  };
  const { program, verdict } = facts;
  const told = [...verdict.split("\n"), ...data.heaps.slice(0, 1).map(verdictOf)];
  const [sentence, ...rest] = told.filter((line) => line.trim() !== "");
  const left = notes(data);
  return (
    <>
      <header>
        <p class="brand">
          <b>memwhy</b>
          {program?.name && <span>{program.name}</span>}
          {program?.python && <span>CPython {program.python}</span>}
        </p>
        <ThemeSwitch wish={wish} theme={theme} set={setWish} />
      </header>
      <main>
        <h1 class={(sentence ?? "").length > 240 ? "verdict long" : "verdict"}>
          {sentence ?? `${size(facts.states[0].bytes)} ${facts.measure}.`}
        </h1>
        {rest.map((line) => (
          <p key={line} class="verdict-more">
            {line}
          </p>
        ))}
        {program?.command_line && (
          <p class="command">
            <code>{program.command_line}</code>
          </p>
        )}
        {hasBlocks(data) && <Numbers data={data} shown={shown} compared={compared} />}
        <div class="panel">
          {data.points.length > 1 && (
            <Timeline
              data={data}
              theme={theme}
              shown={shown}
              compared={compared}
              onShown={choose}
              onCompared={setCompared}
            />
          )}
          <Chooser
            data={data}
            shown={shown}
            compared={compared}
            onShown={choose}
            onCompared={setCompared}
          />
        </div>
        <div class="panel views">
          <div class="tab-line">
            <Tabs data={data} view={view} set={setView} />
            {only && (
              <button
                type="button"
                class="only"
                id="only"
                onClick={() => setOnly(null)}
                title="Show everything again"
              >
                only {only.key} {only.name} ✕
              </button>
            )}
          </div>
          <div id="view" role="tabpanel" aria-labelledby={`tab-${view}`}>
            {view === "flame" && (
              <Flame
                weights={weights}
                callees={callees}
                theme={theme}
                query={query}
                onQuery={setQuery}
                onSource={openSource}
              />
            )}
            {view === "table" && (
              <Table
                weights={weights}
                callees={callees}
                onSource={openSource}
                onSearch={openSearch}
                onOnly={openOnly}
              />
            )}
            {view === "source" && (
              <Source
                weights={weights}
                callees={callees}
                frame={frame}
                onFrame={setFrame}
                onSearch={openSearch}
              />
            )}
            {view === "objects" && <Objects data={data} theme={theme} onSource={openSource} />}
            {view === "details" && <Details data={data} />}
          </div>
        </div>
        {left.map((note) => (
          <p key={note} class="left-out">
            {note}
          </p>
        ))}
      </main>
    </>
  );
}

async function begin() {
  const element = document.getElementById("page")!;
  try {
    const data = await readData();
    const name = data.facts.program?.name;
    document.title = name ? `${name} – memwhy` : "memwhy";
    element.textContent = "";
    render(<Page data={data} />, element);
    document.documentElement.dataset.ready = String(Math.round(performance.now()));
  } catch (error) {
    element.textContent = `This page cannot be shown: ${error instanceof Error ? error.message : error}.`;
    element.className = "waiting";
    document.documentElement.dataset.ready = "failed";
  }
}

begin();
