# SPDX-License-Identifier: MIT
"""A second reader of a page's data, written from docs/page.md alone."""
import base64
import gzip
import json
import re


class Data:
    def __init__(self, page):
        packed = re.search(r'<script id="data"[^>]*>(.*?)</script>', page, re.DOTALL)[1]
        self._bytes = gzip.decompress(base64.b64decode(packed))
        self._at = 0
        self.facts = json.loads(self._take(self._number()))
        self.points = [[self._change() for _ in range(6)] + [self._number()]
                       for _ in range(self._number())]
        self.strings = self._strings()
        self.files = [[self._number() for _ in range(3)] for _ in range(self._number())]
        frames = self._number()
        self.frames = list(zip(self._changes(frames), self._changes(frames), self._changes(frames),
                               self._numbers(frames), self._changes(frames)))
        paths = self._number()
        steps = self._numbers(paths)
        self.callers = [number - step for number, step in enumerate(steps)]
        self.path_frames = self._changes(paths)
        self.rows = self._number()
        self.row_paths = self._changes(self.rows)
        self.row_domains = self._numbers(self.rows)
        self.row_threads = self._numbers(self.rows)
        self.heaps = [self._heap() for _ in range(self.facts.get("heaps", 0))]
        self.states = []
        for _ in self.facts["states"]:
            both = [[0] + [self._change() for _ in range(self.rows - 1)] for _ in range(2)]
            if self.states:
                both = [[old + change for old, change in zip(column, changes)]
                        for column, changes in zip(self.states[-1], both)]
            self.states.append(both)
        assert self._at == len(self._bytes)

    def _strings(self):
        lengths = [self._number() for _ in range(self._number())]
        return [self._take(length).decode(errors="replace") for length in lengths]

    def _heap(self):
        """The object graph at one moment: its facts, rows and tables as dicts."""
        facts = json.loads(self._take(self._number()))
        strings = self._strings()
        columns = {"parent": "c", "kind": "n", "joint": "n", "root": "n", "type": "cs",
                   "text": "cs", "edge": "cs", "way": "cs", "frame": "c", "id": "c", "count": "n",
                   "size": "n", "objects": "c", "retained": "c"}
        heap = {"facts": facts, "rows": self._items(columns, strings)}
        columns = {"name": "cs", "frame": "c", "count": "n", "references": "n", "size": "n",
                   "retained": "n"}
        for table in ("types", "modules", "lines", "held"):
            heap[table] = self._items(columns, strings)[1:]
        return heap

    def _items(self, columns, strings):
        count = self._number()
        items = [{} for _ in range(count)]
        for name, kind in columns.items():
            values = self._changes(count) if "c" in kind else self._numbers(count)
            for item, value in zip(items, values):
                item[name] = strings[value] if "s" in kind else value
        return items

    def place(self, frame):
        file, _, _, line, _ = self.frames[frame]
        return (self.strings[file], line)

    def _take(self, length):
        self._at += length
        assert self._at <= len(self._bytes)
        return self._bytes[self._at - length:self._at]

    def _number(self):
        value = shift = 0
        while True:
            byte = self._take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def _change(self):
        value = self._number()
        return value // 2 if value % 2 == 0 else -(value + 1) // 2

    def _numbers(self, count):
        return [0] + [self._number() for _ in range(count - 1)]

    def _changes(self, count):
        values = [0]
        for _ in range(count - 1):
            values.append(values[-1] + self._change())
        return values

    def by_line(self, state):
        """(file, line) → bytes and blocks."""
        sums = {}
        for row in range(1, self.rows):
            file, _, _, line, _ = self.frames[self.path_frames[self.row_paths[row]]]
            size, blocks = sums.get((self.strings[file], line), (0, 0))
            sums[self.strings[file], line] = (size + self.states[state][0][row],
                                              blocks + self.states[state][1][row])
        return sums
