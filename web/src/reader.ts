// SPDX-License-Identifier: MIT
//
// The parts that the page's data is made of: numbers, columns of them, texts (docs/page.md).

// Controls, and what turns the direction of text: a name could pass for another by them.
const CONTROLS =
  /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

export function clean(text: string): string {
  return text.replace(CONTROLS, "\ufffd");
}

export class Reader {
  at = 0;
  constructor(readonly bytes: Uint8Array) {}

  uint(): number {
    const bytes = this.bytes;
    let byte = bytes[this.at++];
    if (byte < 128) return byte;
    let value = byte & 127;
    let unit = 128;
    do {
      if (this.at >= bytes.length) throw new Error("the data ends too early");
      byte = bytes[this.at++];
      value += (byte & 127) * unit;
      unit *= 128;
    } while (byte >= 128);
    return value;
  }

  int(): number {
    const value = this.uint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  take(length: number): Uint8Array {
    if (this.at + length > this.bytes.length) throw new Error("the data ends too early");
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  // Item 0 is the dummy.
  column(count: number, next: () => number): Uint32Array {
    const items = new Uint32Array(count);
    for (let i = 1; i < count; i++) items[i] = next();
    return items;
  }

  plain(count: number): Uint32Array {
    return this.column(count, () => this.uint());
  }

  changes(count: number): Uint32Array {
    let last = 0;
    return this.column(count, () => (last += this.int()));
  }

  // Beyond 32 bits.
  large(count: number): Float64Array {
    const items = new Float64Array(count);
    for (let i = 1; i < count; i++) items[i] = this.uint();
    return items;
  }

  largeChanges(count: number): Float64Array {
    const items = new Float64Array(count);
    for (let i = 1; i < count; i++) items[i] = items[i - 1] + this.int();
    return items;
  }

  skip(numbers: number): void {
    const bytes = this.bytes;
    let at = this.at;
    for (; numbers > 0 && at < bytes.length; at++) if (bytes[at] < 128) numbers--;
    this.at = at;
  }

  // A table of strings, as files' and types' names are.
  texts(): string[] {
    const decoder = new TextDecoder();
    const lengths = new Uint32Array(this.uint());
    for (let i = 0; i < lengths.length; i++) lengths[i] = this.uint();
    return Array.from(lengths, (length) => clean(decoder.decode(this.take(length))));
  }

  // A number of bytes, and as many of JSON.
  json(): unknown {
    return JSON.parse(new TextDecoder().decode(this.take(this.uint())));
  }
}
