# SPDX-License-Identifier: MIT
"""memwhy.heap, memwhy.why and memwhy.growth: the object graph's face.

All that loops over objects is C (src/graph, src/pyext/heap_*); here answers become objects
that print well.  See docs/object-graph.md.
"""
import _thread
import sys

from memwhy import _layouts, _memwhy

_COUNT_MAXIMUM = 2**31 - 1
_TIMEOUT_MAXIMUM = 10**9  # seconds: some thirty years
_SMALL_HEAP_BLOCKS = 1_000_000  # below, walking costs less than forking and reading twice


# ── asking ───────────────────────────────────────────────────────────────────────────

def _parse(answer):
    import json  # not with memwhy: a traced run loads that before the program

    return json.loads(answer)


def _shown(value):
    """For a sentence: what somebody gave us may be of any length, or not be printable."""
    try:
        text = repr(value)
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _check_number(name, value, least, most=None):
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number from {least}, not {_shown(value)}")
    if most is not None and value > most:
        raise ValueError(f"{name} must be a whole number up to {most}, not {_shown(value)}")


def _check_limits(timeout, memory_limit):
    if not isinstance(timeout, (int, float)) or isinstance(timeout, bool) or not timeout > 0:
        raise ValueError(f"timeout must be a number of seconds above 0, not {_shown(timeout)}")
    _check_number("memory_limit", 0 if memory_limit is None else memory_limit, 0, sys.maxsize)


class _Child:
    """A forked child with a picture of the heap."""

    _end = None

    def __init__(self, timeout, memory_limit):
        import os

        _check_limits(timeout, memory_limit)
        _layouts.check()
        self._end = None
        self._lock = _thread.RLock()  # one question at a time: answers come in turn
        self._getpid = os.getpid
        self._owner = os.getpid()
        self._timeout = timeout = min(timeout, _TIMEOUT_MAXIMUM)
        pid, descriptor, pause_ns, summary = _memwhy._heap_fork(timeout, memory_limit or 0)
        self._child = pid, descriptor
        self._end = _memwhy._heap_end
        self.summary = {**_parse(summary), "pause_ns": pause_ns}

    def _check_is_open(self):
        if self._end is None:
            raise ValueError("this heap is closed")

    def ask(self, name, a=0, b=0, c=0):
        return _parse(self.ask_raw(name, a, b, c))

    def ask_raw(self, name, a=0, b=0, c=0):
        self._check_is_open()
        if self._getpid() != self._owner:
            raise RuntimeError("this heap belongs to the process that looked at it, "
                               "not to one that was forked since")
        with self._lock:
            self._check_is_open()
            try:
                return _memwhy._heap_ask_child(*self._child, self._timeout, name, a, b, c)
            except MemoryError:
                raise  # the child goes on
            except BaseException:
                self.close()
                raise

    @property
    def is_closed(self):
        return self._end is None

    def close(self):
        end, self._end = self._end, None
        if end is None:
            return
        if self._getpid() == self._owner:
            with self._lock:
                end(*self._child)

    def __del__(self):
        if getattr(self, "_end", None) is not None:
            self.close()


def _ask_here(name, subject=0, b=0, memory_limit=None):
    _layouts.check()
    return _memwhy._heap_ask(name, subject, b, 0, memory_limit or 0)


def _is_small():
    return sys.getallocatedblocks() < _SMALL_HEAP_BLOCKS


# ── rows ─────────────────────────────────────────────────────────────────────────────

def _size(count):
    """As tracemalloc shows sizes."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(size) < 100 and unit != "B":
            return f"{size:.1f} {unit}"
        if abs(size) < 10 * 1024 or unit == "TiB":
            return f"{size:.0f} {unit}"
        size /= 1024


def _signed(text, number):
    return f"+{text}" if number >= 0 else text


class Row:
    """One row of an answer; its fields are attributes."""

    def __init__(self, fields):
        self.__dict__.update(fields)

    def __repr__(self):
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items()
                           if not name.startswith("_"))
        return f"<{type(self).__name__} {fields}>"


class TypeRow(Row):
    """Objects of one type: `type`, `count`, `size` and `retained` in bytes."""

    def __str__(self):
        return (f"{self.type}: {self.count:,} objects, size={_size(self.size)}, "
                f"retains {_size(self.retained)}")


class ModuleRow(Row):
    """A module: `module`, `count` and `retained` of what only it keeps alive."""

    def __str__(self):
        return f"{self.module}: retains {_size(self.retained)} in {self.count:,} objects"


class SiteRow(Row):
    """A line that allocated objects: `file`, `line`, `function`, `count`, `size`, `retained`.

    The row of what the tracer does not know has file ''.
    """

    def __str__(self):
        return (f"{_place(self)}: {self.count:,} objects, size={_size(self.size)}, "
                f"retains {_size(self.retained)}")


class HeldRow(Row):
    """Objects of one type that C code holds: `type`, `count`, `references`, `retained`."""

    def __str__(self):
        return (f"{self.type}: {self.count:,} objects by {self.references:,} references, "
                f"retains {_size(self.retained)}")


def _place(fields):
    fields = fields if isinstance(fields, dict) else fields.__dict__
    if not fields.get("file"):
        return "<unknown>"
    function = f" ({fields['function']})" if fields.get("function") else ""
    return f"{fields['file']}:{fields['line']}{function}"


def _site_row(fields):
    return SiteRow({"file": "", "line": 0, "function": "", **fields})


# ── objects and paths ────────────────────────────────────────────────────────────────

class Node(Row):
    """An object of the heap: `id`, `type`, `text`, `size`, `retained`, and `site`, the line
    that allocated it, where memwhy was tracing."""

    def __str__(self):
        site = f"  allocated at {_place(self.site)}" if getattr(self, "site", None) else ""
        return f"{self.text}  retains {_size(self.retained)}{site}"


class Step(Node):
    """A node on a path, with `edge`: how the one before refers to it."""


class Path:
    """One way from a root to an object.

    steps       the nodes from the root to the object; None where a long way is cut
    root        a dict that says why the first node is alive: its "kind" and more
    length      how many nodes there are, those left out included
    expression  the way as one would write it in Python
    """

    def __init__(self, fields):
        steps = fields["steps"]
        self.length = fields["length"]
        self.root = steps[0].pop("root", {"kind": "none"})
        self.steps = [None if "skipped" in step else Step({"edge": "", **step})
                      for step in steps]
        self.expression = fields["expression"]

    def __len__(self):
        return self.length

    def __str__(self):
        return self.expression

    def __repr__(self):
        return f"<Path {self.expression}>"


def _paths(fields):
    return list(map(Path, fields.get("paths", ())))


class _Printed:
    """What prints as text, and in notebooks as tables; what C has written stays as `_printed`."""

    def __str__(self):
        return self._printed

    def _repr_html_(self):
        from memwhy import _heap_html  # not with memwhy: few run in a notebook

        return _heap_html.written(self, _size, _place)


class Why(_Printed):
    """Why one object is alive, and what it keeps alive.

    type, text, size        what it is
    references              references that it counts; 0 for one that is never freed
    retained                bytes that go when it goes, itself included
    site                    the line that allocated it, as a dict, or None
    paths                   a list of Path: ways from roots that differ where they can
    dominators              a list of Node, the nearest first: who goes, and it goes too
    retained_types          a list of TypeRow: what it retains
    retained_sites          a list of SiteRow: which lines allocated that
    """

    def __init__(self, fields):
        self.id = fields["id"]
        self.type = fields["type"]
        self.text = fields["text"]
        self.size = fields["size"]
        self.references = fields["references"]
        self.retained = fields["retained"]
        self.site = fields.get("site")
        self.paths = _paths(fields)
        self.dominators = [Node(node) for node in fields["dominators"]]
        self.retained_types = [TypeRow(row) for row in fields["retained_types"]]
        self.retained_sites = [_site_row(row) for row in fields.get("retained_sites", ())]
        self._printed = fields["printed"].rstrip("\n")

    def __repr__(self):
        return f"<Why {self.text}: {len(self.paths)} paths, retains {_size(self.retained)}>"


class Suspect(_Printed):
    """What looks like a leak.

    kind        "accumulates": one object, in parts of which none is large; "joint": several
                objects hold it together, and none alone; "many": objects of one type that C
                code holds, none of them large
    bytes       how much that is, without what is suspected by itself
    retained    with it
    objects     how many objects these are
    node        a Node: the object; of "many", one of them; None for "joint"
    path        a Path to it, or None
    holders     of "joint": a list of (Node, Path)
    retained_types, retained_sites  as in Why
    """

    def __init__(self, fields):
        self.kind = fields["kind"]
        self.bytes = fields["bytes"]
        self.retained = fields["retained_bytes"]
        self.objects = fields["objects"]
        self.has_more_holders = bool(fields.get("more_holders"))
        self.holders = [(Node(holder), path) for holder in fields.get("holders", ())
                        for path in _paths(holder)]
        self.node = Node(fields) if self.kind != "joint" else None
        self.path = next(iter(_paths(fields)), None)
        self.retained_types = [TypeRow(row) for row in fields.get("retained_types", ())]
        self.retained_sites = [_site_row(row) for row in fields.get("retained_sites", ())]
        self._printed = fields["printed"].rstrip("\n")

    def __repr__(self):
        return f"<Suspect {self.kind} {_size(self.bytes)}>"


class Garbage(_Printed):
    """What no root reaches: it waits for the collector.

    objects, bytes, cycles      how much there is, in how many groups
    nodes                       a list of Node: one of each group
    """

    def __init__(self, fields):
        self.objects = fields["objects"]
        self.bytes = fields["bytes"]
        self.cycles = fields["cycles"]
        self.nodes = [Node(row) for row in fields["rows"]]
        self._printed = fields["printed"].rstrip("\n")

    def __repr__(self):
        return f"<Garbage {self.objects} objects, {_size(self.bytes)}>"


# ── differences ──────────────────────────────────────────────────────────────────────

class DiffRow(Row):
    """A row and how it changed: its fields, and `count_diff`, `size_diff`, `retained_diff`."""

    def __str__(self):
        name = getattr(self, "type", None) or _place(self)
        retained = _size(self.retained_diff)
        return (f"{name}: {self.count:,} objects ({self.count_diff:+,}), "
                f"size={_size(self.size)} ({_signed(_size(self.size_diff), self.size_diff)}), "
                f"retains {_size(self.retained)} ({_signed(retained, self.retained_diff)})")


_SUMS = "count", "size", "retained"


def _add_up(rows, key):
    """The fields of rows, by what they are called: classes that are called the same are one."""
    sums = {}
    for row in rows:
        fields = sums.setdefault(key(row), {**row.__dict__, **dict.fromkeys(_SUMS, 0)})
        for field in _SUMS:
            fields[field] += getattr(row, field)
    return sums


def _compare(older, newer, key):
    """Rows of both, by what they are called; what grew most in bytes comes first."""
    before, after = _add_up(older, key), _add_up(newer, key)
    rows = []
    for name in before.keys() | after.keys():
        old, new = before.get(name, {}), after.get(name, {})
        fields = dict(new or old)
        for field in _SUMS:
            now = new.get(field, 0)
            fields[field] = now
            fields[f"{field}_diff"] = now - old.get(field, 0)
        if fields["count_diff"] or fields["size_diff"]:
            rows.append(DiffRow(fields))
    return sorted(rows, key=lambda row: (-row.size_diff, -row.count_diff, str(row)))


def _type_name(row):
    return row.type


class HeapDiff(_Printed):
    """What changed between two heaps: `types` and, where both know them, `sites`: lists of
    DiffRow, the largest growth first."""

    def __init__(self, older, newer):
        self.types = _compare(older.types(), newer.types(), _type_name)
        self.sites = []
        if older.summary["knows_lines"] and newer.summary["knows_lines"]:
            self.sites = _compare(older.sites(), newer.sites(),
                                  lambda row: (row.file, row.line, row.function))

    def __str__(self):
        return "\n".join(str(row) for row in [*self.types[:10], *self.sites[:10]])


# ── the heap ─────────────────────────────────────────────────────────────────────────

class Heap(_Printed):
    """A look at every object of the process, as it was when memwhy.heap() was called.

    A forked child has the picture and answers; it costs memory as the program goes on and
    its pages come to differ, until close(), the end of a `with`, or this object's.
    """

    def __init__(self, timeout, memory_limit):
        self._child = _Child(timeout, memory_limit)
        self._types = self._sites = None
        self.summary = self._child.summary

    def close(self):
        """End the child.  Rows that were asked for stay."""
        self._child.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    # ── numbers of the whole ──

    @property
    def explained(self):
        """The share of all counted references that the walk found: its self-test."""
        counted = self.summary["counted_references"]
        return 1 - self.summary["unexplained_references"] / counted if counted else 1.0

    def __len__(self):
        return self.summary["objects"]

    # ── tables ──

    def types(self):
        """A list of TypeRow, the most retained first."""
        if self._types is None:
            self._types = list(map(TypeRow, self._child.ask("types")["rows"]))
        return list(self._types)

    def modules(self):
        """A list of ModuleRow, one for each entry of sys.modules."""
        return list(map(ModuleRow, self._child.ask("modules")["rows"]))

    def sites(self):
        """A list of SiteRow: which lines allocated the objects.  RuntimeError if memwhy was
        not tracing when the heap was looked at."""
        if not self.summary["knows_lines"]:
            raise RuntimeError("memwhy was not tracing when the heap was looked at, so it does not "
                               "know which lines allocated what; call memwhy.start() before")
        if self._sites is None:
            self._sites = list(map(_site_row, self._child.ask("sites")["rows"]))
        return list(self._sites)

    def held_from_c(self):
        """A list of HeldRow: objects that count more references than were found."""
        return list(map(HeldRow, self._child.ask("held")["rows"]))

    # ── objects ──

    def top(self, count=10):
        """A list of (Node, Path) of the objects that retain most."""
        _check_number("count", count, 1, _COUNT_MAXIMUM)
        rows = self._child.ask("top", count)["rows"]
        return [(Node(row), path) for row in rows
                for path in _paths(row)]

    def _object(self, obj, paths):
        answer = self._child.ask("object", id(obj), paths)
        if not answer or answer["type_id"] != id(type(obj)):
            raise ValueError(f"the heap has no such object of type {type(obj).__name__}: it was "
                             "made after the heap was looked at, or nothing that can be seen "
                             "refers to it")
        return answer

    def why(self, obj, *, paths=3):
        """Why obj was alive: a Why."""
        _check_number("paths", paths, 1, _COUNT_MAXIMUM)
        return Why(self._object(obj, paths))

    def retained(self, obj):
        """Bytes that would go with obj, itself included."""
        return self._object(obj, 0)["retained"]

    def retained_together(self, *objs):
        """Bytes that would go with one to three objects if all were dropped at once."""
        if not 1 <= len(objs) <= 3:
            raise ValueError(f"one to three objects, not {len(objs)}")
        nodes = [self._object(obj, 0)["node"] for obj in objs]
        return self._child.ask("together", *nodes)["retained"]

    def dominators(self, obj):
        """A list of Node, the nearest first: when one of these goes, obj goes too."""
        return [Node(node) for node in self._object(obj, 0)["dominators"]]

    def paths(self, obj, count=3):
        """A list of Path: up to count ways from roots to obj that differ where they can."""
        _check_number("count", count, 1, _COUNT_MAXIMUM)
        return _paths(self._object(obj, count))

    # ── leaks ──

    def suspects(self, share=0.05):
        """A list of Suspect, the largest first: with at least that share of the heap."""
        if not isinstance(share, (int, float)) or not 0.001 <= share <= 1:
            raise ValueError(f"share must be from 0.001 to 1, not {share!r}")
        rows = self._child.ask("suspects", round(share * 1000))["rows"]
        return [Suspect(row) for row in rows]

    def garbage(self, count=20):
        """What waits for the collector: a Garbage with up to count nodes."""
        _check_number("count", count, 0, _COUNT_MAXIMUM)
        return Garbage(self._child.ask("garbage", count))

    def diff(self, older):
        """What changed since another heap was looked at: a HeapDiff."""
        if not isinstance(older, Heap):
            raise TypeError(f"diff() compares with a Heap, not with a {type(older).__name__}")
        return HeapDiff(older, self)

    def __str__(self):
        return self._child.ask("report", 50)["text"].rstrip("\n")

    def _repr_html_(self):
        return None if self._child.is_closed else super()._repr_html_()  # None: its repr() then

    def __repr__(self):
        return f"<Heap {self.summary['objects']} objects, {_size(self.summary['bytes'])}>"


def heap(*, timeout=300, memory_limit=None):
    """Look at every object of this process: returns a Heap to ask questions of.

    A forked child does the work; the program pauses only for the fork.  timeout is in
    seconds, memory_limit in bytes: what the child may take, by default four fifths of what
    the system has left.  Raises TimeoutError, MemoryError, or RuntimeError with a sentence
    if the child cannot be made or dies; the program is not affected.
    """
    return Heap(timeout, memory_limit)


def why(obj, /, *, paths=3, forked=None, timeout=300, memory_limit=None):
    """Why is obj alive?  Returns a Why, which prints well: ways from roots to it, who
    dominates it, what it retains, and which lines allocated that.

    forked=True does the work in a child, as memwhy.heap() does; False here, while the
    program stands still; None (default) here if the heap is small.
    """
    _check_number("paths", paths, 1, _COUNT_MAXIMUM)
    _check_limits(timeout, memory_limit)
    if forked is None:
        forked = not _is_small()
    if not forked:
        return Why(_parse(_ask_here("object", obj, paths, memory_limit)))
    with Heap(timeout, memory_limit) as whole:
        return whole.why(obj, paths=paths)


# ── growth ───────────────────────────────────────────────────────────────────────────

class growth(_Printed):
    """What grew, by type.

        memwhy.growth()             # what grew since the call before; the first begins
        with memwhy.growth() as grown:
            ...
        print(grown)                # what the block left behind

    rows is a list of DiffRow, the largest growth in bytes first; what shrank comes last.
    """

    _before = None  # what the last call found, as JSON: one object, whatever is in it

    def __init__(self, *, forked=None, timeout=300, memory_limit=None):
        _check_limits(timeout, memory_limit)
        self._options = forked, timeout, memory_limit
        now = self._count()
        before, growth._before = growth._before, now
        self._begin = now
        self.rows = self._compare(before, now) if before is not None else []

    def _count(self):
        import json  # noqa: F401  so that it is there before, and not part of what grew

        forked, timeout, memory_limit = self._options
        if forked is None:
            forked = not _is_small()
        if not forked:
            return _ask_here("types", memory_limit=memory_limit)
        with Heap(timeout, memory_limit) as whole:
            return whole._child.ask_raw("types")

    @staticmethod
    def _compare(before, after):
        return _compare(map(TypeRow, _parse(before)["rows"]), map(TypeRow, _parse(after)["rows"]),
                        _type_name)

    def __enter__(self):
        self.rows = []
        self._begin = None
        self._begin = self._count()
        return self

    def __exit__(self, *exception):
        self.rows = self._compare(self._begin, self._count())

    def __iter__(self):
        return iter(self.rows)

    def __len__(self):
        return len(self.rows)

    def __str__(self):
        grown = [row for row in self.rows if row.size_diff > 0][:20]
        return "\n".join(map(str, grown)) if grown else "nothing grew"

    def __repr__(self):
        return f"<growth of {len(self.rows)} types>"
