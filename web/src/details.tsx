// SPDX-License-Identifier: MIT
//
// What the capture says of the process, what this page leaves out, and which keys it knows.
import type { ComponentChildren } from "preact";
import type { Data } from "./data";
import { count, date, duration, share, size } from "./format";

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

// What is not in the page, each in a sentence.
export function notes(data: Data): string[] {
  const { facts, points } = data;
  const found: string[] = [];
  const moments = facts.states.filter((state) => state.time_ns !== undefined).length;
  const last = points[points.length - 1];
  if (facts.folded_rows > 0)
    found.push(
      `${count(facts.folded_rows)} of the smallest call paths, of ${size(facts.folded_weight)} at most each, stand together as “<small sites>”: all sums are exact.`,
    );
  if (facts.snapshot_count !== undefined && moments !== 0 && moments < facts.snapshot_count)
    found.push(
      `${count(moments)} of the capture's ${count(facts.snapshot_count)} snapshots are in this page, spread evenly over time.`,
    );
  if (facts.point_count !== undefined && points.length < facts.point_count)
    found.push(
      `The timeline is drawn with ${count(points.length)} of ${count(facts.point_count)} points; no peak is left out.`,
    );
  if (facts.program && facts.program.sample_bytes !== 0)
    found.push(
      `The process was sampled, one block per ${size(facts.program.sample_bytes)} on average: all amounts are estimates.`,
    );
  if (last && last.lost !== 0)
    found.push(
      `${count(last.lost)} blocks were not recorded, since memwhy found no memory for them.`,
    );
  return found;
}

export function Details({ data }: { data: Data }) {
  const { program, children, exit_status } = data.facts;
  const last = data.points[data.points.length - 1];
  const left = notes(data);
  return (
    <section class="details">
      <div>
        <h2>The process</h2>
        <dl>
          {program?.command_line && (
            <Fact name="Command line">
              <code>{program.command_line}</code>
            </Fact>
          )}
          {program?.directory && (
            <Fact name="Started in">
              <code>{program.directory}</code>
            </Fact>
          )}
          {program?.python && (
            <Fact name="Interpreter">
              CPython {program.python} <code>{program.executable}</code>
            </Fact>
          )}
          {program && program.pid !== 0 && (
            <Fact name="Process">
              {program.pid}
              {program.host && ` on ${program.host}`}
            </Fact>
          )}
          {program && program.start_unix_ms !== 0 && (
            <Fact name="Capture begun">{date(program.start_unix_ms)}</Fact>
          )}
          {last && (
            <Fact name="Lasted">
              {duration(last.time)}
              {exit_status === undefined
                ? ", and the process had not ended"
                : `, exit status ${exit_status}`}
            </Fact>
          )}
          {program && program.memory_limit !== 0 && (
            <Fact name="Memory limit">
              {size(program.memory_limit)}
              {last &&
                last.rss !== 0 &&
                `, of which ${share(last.rss, program.memory_limit)} was resident at the end`}
            </Fact>
          )}
          {last && <Fact name="memwhy's own">{size(last.overhead)}</Fact>}
          <Fact name="Tracebacks">at most {count(data.facts.frame_limit)} frames</Fact>
          {program?.memwhy && <Fact name="Captured by">memwhy {program.memwhy}</Fact>}
          {children && children.length !== 0 && (
            <Fact name="Child processes">
              {children.map((child) => (
                <div key={child.pid}>
                  {child.pid} after {duration(child.time_ns / 1e9)} <code>{child.capture}</code>
                </div>
              ))}
            </Fact>
          )}
        </dl>
      </div>
      <div>
        <h2>This page</h2>
        <p>
          {count(data.rowCount - 1)} allocation sites on {count(data.pathCount - 1)} call paths.
          Everything is in this file, and it asks nobody for anything.
        </p>
        {left.map((note) => (
          <p key={note} class="left-out">
            {note}
          </p>
        ))}
        <h2>Keys</h2>
        <dl class="keyboard">
          <Fact name="/">search the flame graph</Fact>
          <Fact name="← → ↑ ↓">in the flame graph: siblings, caller, callee</Fact>
          <Fact name="Enter, Esc">zoom in, zoom out</Fact>
          <Fact name="S">the source of the frame{data.heaps.length !== 0 && " or object"}</Fact>
          {data.heaps.length !== 0 && (
            <Fact name="← → ↑ ↓">in the rows of objects: close, open, one up, one down</Fact>
          )}
          <Fact name="← →">
            on the timeline: another snapshot; with shift, another to compare with; Esc: none
          </Fact>
          <Fact name="← →">on the tabs: another view</Fact>
        </dl>
      </div>
    </section>
  );
}
