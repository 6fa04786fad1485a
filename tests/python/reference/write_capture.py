# SPDX-License-Identifier: MIT
"""A writer of captures for tests, written from docs/format.md alone: what memwhy reads need
not be what memwhy writes.  It makes use of the freedom that the page leaves: rows that are
there twice, rows that nobody needs, unknown fields, records and numbers.
"""
import struct
import zlib

from read_capture import (ANEW, CHILD, END, FRAME_LIMIT_MAXIMUM, INPUT, MAGIC, MODULO, OPTIONAL,
                          PEAK, POINTS, PROGRAM, SNAPSHOT, SOURCE, TOTALS, Counts, Point,
                          CHILD_FIELDS, END_FIELDS, INPUT_FIELDS, PROGRAM_FIELDS, expected, mean)


def varint(number):
    data = bytearray()
    while number >= 0x80:
        data.append(number & 0x7f | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)


def zigzag(difference):
    difference %= MODULO
    if difference >= MODULO // 2:
        difference -= MODULO
    return varint(2 * difference if difference >= 0 else -2 * difference - 1)


def differences(numbers):
    return b"".join(zigzag(number - above) for above, number in zip([0, *numbers], numbers))


def table(rows, columns):
    return varint(len(rows)) + b"".join(
        differences([row[column] for row in rows]) for column in range(columns))


def bytes_of(name):
    return name.encode("utf-8", "surrogatepass")


def header(major=1, minor=0):
    data = MAGIC + struct.pack("<HH", major, minor)
    return data + struct.pack("<I", zlib.crc32(data))


def record(kind, payload, flags=0):
    rest = struct.pack("<BBII", kind, flags, len(payload), len(payload))
    checked = struct.pack("<H", zlib.crc32(rest) & 0xffff) + rest + payload
    return struct.pack("<I", zlib.crc32(checked)) + checked


def fields(values, known):
    data = b""
    for number, (name, kind) in known.items():
        for value in values.get(name, []) if kind is list else [values.get(name)]:
            if value is None:
                continue
            value = (zigzag(value) if kind == "signed" else varint(value) if kind is int
                     else bytes_of(value))
            data += varint(number) + varint(len(value)) + value
    return data


class Segment:
    def __init__(self, random):
        self.random = random
        self.names, self.frames, self.paths = {b"": 0}, {None: 0}, {(): 0}
        self.sites, self.epochs = {}, {0: 0}
        self.counts = {}
        self.point = Point()
        self.new = {key: [] for key in ("epochs", "names", "frames", "paths", "sites")}
        self.size = {"names": 1, "frames": 1, "paths": 1, "sites": 1}
        self.threads = {}

    def add(self, table_name, numbers, key, row):
        """The number of [key], whose row is appended if it is not there; or, at random, even
        if it is."""
        if key in numbers and (table_name == "sites" or self.random.random() > 0.05):
            return numbers[key]
        numbers[key] = self.size[table_name]
        self.size[table_name] += 1
        self.new[table_name].append(row)
        return numbers[key]

    def name(self, text):
        data = bytes_of(text)
        return self.add("names", self.names, data, data)

    def frame(self, frame):
        row = (self.name(frame.file), self.name(frame.function), self.name(frame.module),
               frame.line, frame.first_line)
        return self.add("frames", self.frames, frame, row)

    def path(self, frames):
        number = 0
        for depth in range(1, len(frames) + 1):
            inner = frames[-depth:]
            number = self.add("paths", self.paths, inner, (number, self.frame(inner[0])))
        return number

    def epoch(self, start):
        if start not in self.epochs:
            assert start > max(self.epochs)
            self.new["epochs"].append(start - max(self.epochs))
            self.epochs[start] = len(self.epochs)
        return self.epochs[start]

    def site(self, site):
        if site in self.sites:
            return self.sites[site]
        depth = min(len(site.frames), FRAME_LIMIT_MAXIMUM)
        total = (1 if site.total_frames == 0 else
                 0 if site.total_frames == depth else site.total_frames + 1)
        row = (self.path(site.frames), total, site.domain, site.thread,
               self.epoch(site.epoch_start))
        return self.add("sites", self.sites, site, row)


class Writer:
    """Bytes of a capture, record by record."""

    def __init__(self, random, program):
        self.random = random
        self.segment = None
        self.named = {}
        self.data = header(minor=random.choice([0, 1, 9]))
        payload = fields(program, PROGRAM_FIELDS) + varint(99) + varint(2) + b"??"
        self.data += record(PROGRAM, payload)

    def points(self, points, last):
        data = varint(len(points))
        for point in points:
            data += varint(point.time - last.time)
            for name in ("rss_bytes", "live_bytes", "peak_bytes", "overhead_bytes",
                         "lost_blocks"):
                data += zigzag(getattr(point, name) - getattr(last, name))
            last = point
        return data

    def changes(self, state, totals):
        segment = self.segment
        after = {segment.sites[site]: counts for site, counts in state.items()}
        rows, site = [], 0
        for number in sorted(segment.counts.keys() | after.keys()):
            before, now = segment.counts.get(number, Counts()), after.get(number, Counts())
            if before == now and self.random.random() > 0.1:
                continue
            rows.append((number - site, *self.change(before, now)))
            site = number
        data = varint(len(rows)) + b"".join(varint(row[0]) for row in rows)
        for column in range(1, 5 if totals else 3):
            data += b"".join(zigzag(row[column]) for row in rows)
        return data, after

    def change(self, before, now):
        blocks = (now.blocks - before.blocks) % MODULO
        size = (now.bytes - before.bytes) % MODULO
        x3 = now.total_blocks - before.total_blocks - expected(blocks)
        return (blocks, size - mean(before.blocks, before.bytes) * blocks, x3,
                now.total_bytes - before.total_bytes - expected(size)
                - mean(now.blocks, now.bytes) * x3)

    def step(self, kind, points, state, totals, thread_names=(), epochs=(), anew=False):
        """[epochs] are the times at which they began, all up to now."""
        if anew or self.segment is None:
            anew, self.segment, self.named = True, Segment(self.random), {}
        segment = self.segment
        for start in epochs:
            segment.epoch(start)
        for site in self.random.sample(list(state), len(state)):
            segment.site(site)
        names = {number: name for number, name in dict(thread_names).items()
                 if self.named.get(number) != name}
        threads = [(number, segment.name(name)) for number, name in names.items()]
        self.named.update(names)
        changes, after = self.changes(state, totals)
        new = segment.new
        payload = varint((ANEW if anew else 0) | (TOTALS if totals else 0))
        payload += self.points(points, Point() if kind == PEAK else segment.point)
        payload += varint(len(new["epochs"])) + b"".join(map(varint, new["epochs"]))
        payload += varint(len(new["names"])) + b"".join(varint(len(n)) for n in new["names"])
        payload += b"".join(new["names"])
        payload += table(new["frames"], 5) + table(new["paths"], 2)
        payload += varint(len(threads)) + b"".join(
            varint(row[column]) for column in range(2) for row in threads)
        payload += table(new["sites"], 5) + changes
        if self.random.random() < 0.3:
            payload += varint(7) + b"later"     # a section of a later minor version
        self.data += record(kind, payload)
        for rows in new.values():
            rows.clear()
        if kind == SNAPSHOT:
            segment.counts, segment.point = after, points[-1]

    def snapshot(self, points, state, totals, **more):
        self.step(SNAPSHOT, points, state, totals, **more)

    def peak(self, point, state, totals, **more):
        self.step(PEAK, [point], state, totals, **more)

    def source(self, lines):
        """[lines] are texts by (file, line), of files that have a name in the segment."""
        rows = [(self.segment.names[bytes_of(file)], line) for file, line in lines]
        texts = list(lines.values())
        payload = table(rows, 2) + b"".join(varint(len(text)) for text in texts)
        self.data += record(SOURCE, payload + b"".join(texts))

    def look(self, points):
        self.data += record(POINTS, self.points(points, self.segment.point))
        self.segment.point = points[-1]

    def child(self, **values):
        self.data += record(CHILD, fields(values, CHILD_FIELDS))

    def input(self, **values):
        self.data += record(INPUT, fields(values, INPUT_FIELDS), OPTIONAL)

    def unknown(self):
        self.data += record(77, b"who knows", OPTIONAL)

    def end(self, exit_status):
        self.data += record(END, fields({"exit_status": exit_status}, END_FIELDS))
