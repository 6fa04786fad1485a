// SPDX-License-Identifier: MIT
//
// What looks like a leak, the largest first: each in a sentence, with who holds it and which
// lines allocated it.
import type { ComponentChildren } from "preact";
import type { Data } from "./data";
import { count, share, size } from "./format";
import type { Heap, ObjectFields, PathFields, Site, Suspect } from "./heap";
import { Bar } from "./parts";
import { clean } from "./reader";

const LINES = 3; // of each list

interface SuspectsProps {
  data: Data;
  heap: Heap;
  onObject: (row: number) => void;
  onSource: (frame: number) => void;
}

function expressionOf(paths: PathFields[] | undefined): string {
  return clean(paths?.[0]?.expression ?? "");
}

function Place({
  data,
  site,
  onSource,
}: {
  data: Data;
  site: Partial<Site>;
  onSource: (frame: number) => void;
}) {
  if (!site.file) return <span class="place">not known</span>;
  const frame = data.frameAt(site.file, site.line ?? 0);
  const text = frame === 0 ? `${clean(site.file)}:${site.line}` : data.place(frame);
  return (
    <>
      {frame === 0 ? (
        text
      ) : (
        <button type="button" class="link" onClick={() => onSource(frame)}>
          {text}
        </button>
      )}{" "}
      <span class="place">{clean(site.function ?? "")}</span>
    </>
  );
}

function Holder({
  heap,
  node,
  expression,
  onObject,
}: {
  heap: Heap;
  node: ObjectFields;
  expression: string;
  onObject: (row: number) => void;
}) {
  const row = heap.rowOf(node.id);
  const shown = <code>{expression || clean(node.text)}</code>;
  return row === 0 ? (
    shown
  ) : (
    <button
      type="button"
      class="link"
      title="Show it in the tree"
      data-object={row}
      onClick={() => onObject(row)}
    >
      {shown}
    </button>
  );
}

function Amounts({
  title,
  rows,
}: {
  title: string;
  rows: { size: number; count: number; what: ComponentChildren }[];
}) {
  if (rows.length === 0) return null;
  return (
    <div>
      <h4>{title}</h4>
      <table class="plain">
        <tbody>
          {rows.slice(0, LINES).map((row, index) => (
            <tr key={index}>
              <td>{size(row.size)}</td>
              <td>{count(row.count)} ×</td>
              <td class="what">{row.what}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Sentence({ suspect, ...more }: { suspect: Suspect } & SuspectsProps) {
  const { heap, onObject } = more;
  const bytes = <b>{size(suspect.bytes)}</b>;
  const objects = `${count(suspect.objects)} ${suspect.objects === 1 ? "object" : "objects"}`;
  if (suspect.kind === "joint")
    return (
      <>
        {bytes} in {objects} are held by several together: dropping one of them frees nothing.
      </>
    );
  if (suspect.kind === "many")
    return (
      <>
        {objects} of <b>{clean(suspect.type)}</b> that C code holds keep {bytes} alive.
      </>
    );
  return (
    <>
      <Holder
        heap={heap}
        node={suspect}
        expression={expressionOf(suspect.paths)}
        onObject={onObject}
      />{" "}
      <b>{clean(suspect.text)}</b>{" "}
      {suspect.objects === 1 ? <>is {bytes} by itself.</> : <>keeps {bytes} in {objects} alive.</>}
    </>
  );
}

function Card({ suspect, ...more }: { suspect: Suspect } & SuspectsProps) {
  const { data, heap, onObject, onSource } = more;
  const whole = heap.facts.summary.bytes;
  const types = (suspect.retained_types ?? []).map((row) => ({ ...row, what: clean(row.type) }));
  const lines = (suspect.retained_sites ?? [])
    .filter((row) => row.file)
    .map((row) => ({ ...row, what: <Place data={data} site={row} onSource={onSource} /> }));
  return (
    <li class={`suspect ${suspect.kind}`}>
      <div class="weight">
        <b>{share(suspect.bytes, whole)}</b>
        <Bar part={suspect.bytes} whole={whole} />
      </div>
      <div>
        <h3>
          <Sentence suspect={suspect} {...more} />
        </h3>
        {suspect.retained_bytes > suspect.bytes && (
          <p>
            With what else is suspected below it: {size(suspect.retained_bytes)} (
            {share(suspect.retained_bytes, whole)}).
          </p>
        )}
        {suspect.site && (
          <p>
            Allocated at <Place data={data} site={suspect.site} onSource={onSource} />
          </p>
        )}
        {suspect.holders && (
          <ul class="holders">
            {suspect.holders.map((holder) => (
              <li key={holder.id}>
                <Holder
                  heap={heap}
                  node={holder}
                  expression={expressionOf(holder.paths)}
                  onObject={onObject}
                />{" "}
                {clean(holder.text)}
              </li>
            ))}
            {suspect.more_holders === 1 && <li>and more</li>}
          </ul>
        )}
        <div class="columns">
          <Amounts
            title={suspect.kind === "many" ? "What one of them keeps" : "What that is"}
            rows={types}
          />
          <Amounts title="Which lines allocated it" rows={lines} />
        </div>
      </div>
    </li>
  );
}

export function Suspects(props: SuspectsProps) {
  const { rows } = props.heap.facts.suspects;
  const least = `${props.heap.facts.share / 10}%`;
  if (rows.length === 0)
    return <p class="nothing">Nothing by itself keeps as much as {least} of the heap alive.</p>;
  return (
    <ol class="suspects">
      {rows.map((suspect, index) => (
        <Card key={index} suspect={suspect} {...props} />
      ))}
    </ol>
  );
}
