// SPDX-License-Identifier: MIT
//
// Small parts of which views are made.
import type { ComponentChildren } from "preact";

interface SwitchProps {
  on: boolean;
  set: (on: boolean) => void;
  id: string;
  title?: string;
  children: ComponentChildren;
}

export function Switch({ on, set, id, title, children }: SwitchProps) {
  return (
    <button
      type="button"
      id={id}
      class="switch"
      aria-pressed={on}
      title={title}
      onClick={() => set(!on)}
    >
      {children}
    </button>
  );
}

// A share as a bar; of a change the half that it belongs to.
export function Bar({ part, whole, change }: { part: number; whole: number; change?: boolean }) {
  const share = whole === 0 ? 0 : Math.min(1, Math.abs(part) / whole);
  return (
    <span class="bar" aria-hidden="true">
      {share !== 0 && (
        <i
          class={change ? (part < 0 ? "shrank" : "grew") : "held"}
          style={{ width: `${(share * 100).toFixed(2)}%` }}
        />
      )}
    </span>
  );
}
