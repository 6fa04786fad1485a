# SPDX-License-Identifier: MIT
"""Answers about the object graph as HTML for notebooks.

Every name is the program's, and escaped where it is put into a cell; the sizes of _heap.py
are numbers of ours.
"""
from html import escape

_LEFT = ' style="text-align: left"'
_ROWS = 10


def _code(text):
    return f"<code>{escape(text)}</code>"


def _table(heads, rows, caption=""):
    """A table of cells that are HTML already; the last column is a name."""
    if not rows:
        return ""
    last = len(heads) - 1
    parts = [f"<table><caption{_LEFT}>{caption}</caption><tr>" if caption else "<table><tr>"]
    parts += [f"<th{_LEFT if i == last else ''}>{head}</th>" for i, head in enumerate(heads)]
    for row in rows:
        parts.append("</tr><tr>")
        parts += [f"<td{_LEFT if i == last else ''}>{cell}</td>" for i, cell in enumerate(row)]
    parts.append("</tr></table>")
    return "".join(parts)


def _folded(title, content):
    return f"<details><summary>{title}</summary>{content}</details>" if content else ""


def _text_of(thing):
    return _folded("as text", f"<pre>{escape(str(thing))}</pre>")


class _Words:
    """What _heap.py writes sizes and places with."""

    def __init__(self, size, place):
        self.size = size
        self._place = place

    def place(self, site):
        return _code(self._place(site)) if site else ""

    def contents(self, types, sites):
        """What something retains, by type and by the line that allocated it."""
        return (_table(("size", "objects", "type"),
                       [(self.size(row.size), f"{row.count:,}", escape(row.type))
                        for row in types], "what it retains")
                + _table(("size", "objects", "line"),
                         [(self.size(row.size), f"{row.count:,}", self.place(row))
                          for row in sites], "which lines allocated that"))

    def node(self, node):
        site = getattr(node, "site", None)
        return (f"{escape(node.text)} retains {self.size(node.retained)}"
                + (f", allocated at {self.place(site)}" if site else ""))


# ── one object ───────────────────────────────────────────────────────────────────────

def _path(words, path):
    steps = [(escape(step.edge), words.size(step.retained), escape(step.text),
              words.place(getattr(step, "site", None))) if step is not None
             else ("…", "", "", "") for step in path.steps]
    return _folded(f"kept alive by {_code(path.expression)}",
                   _table(("by", "retains", "object", "allocated at"), steps))


def why(words, one):
    site = f", allocated at {words.place(one.site)}" if one.site else ""
    parts = [f"<p><b>{escape(one.text)}</b>: {words.size(one.size)}, retains "
             f"<b>{words.size(one.retained)}</b>{site}</p>"]
    parts += [_path(words, path) for path in one.paths]
    if one.dominators:
        parts.append(f"<p>It goes when this goes: {words.node(one.dominators[0])}</p>")
    elif one.paths:
        parts.append("<p>No single object keeps it alive.</p>")
    return "".join(parts) + words.contents(one.retained_types, one.retained_sites) + _text_of(one)


# ── leaks ────────────────────────────────────────────────────────────────────────────

def _who(suspect):
    if suspect.kind == "joint":
        return "jointly: " + ", ".join(_code(path.expression) for _, path in suspect.holders) + (
            " and more" if suspect.has_more_holders else "")
    if suspect.kind == "many":
        return f"C code, {escape(suspect.node.type)} each"
    return f"{_code(suspect.path.expression)} {escape(suspect.node.text)}" if suspect.path else (
        escape(suspect.node.text))


def _suspect_row(words, suspect, whole):
    sites = [row for row in suspect.retained_sites if row.file]
    return (f"{suspect.bytes / whole:.1%}" if whole else "", words.size(suspect.bytes),
            f"{suspect.objects:,}", words.place(sites[0]) if sites else "", _who(suspect))


def suspect(words, one):
    return (_table(("size", "objects", "most allocated at", "who holds it"),
                   [_suspect_row(words, one, 0)[1:]])
            + words.contents(one.retained_types, one.retained_sites) + _text_of(one))


def garbage(words, one):
    return (f"<p>{one.objects:,} objects in {one.cycles:,} cycles wait for the collector: "
            f"<b>{words.size(one.bytes)}</b></p>"
            + _table(("retains", "object"),
                     [(words.size(node.retained), escape(node.text)) for node in one.nodes]))


# ── the whole, and what changed ──────────────────────────────────────────────────────

def heap(words, one):
    summary = one.summary
    rows = [_suspect_row(words, row, summary["bytes"]) for row in one.suspects()]
    parts = [f"<p>{summary['objects']:,} objects, <b>{words.size(summary['bytes'])}</b>; "
             f"{one.explained:.2%} of all references explained</p>",
             _table(("share", "size", "objects", "most allocated at", "who holds it"), rows,
                    "what looks like a leak"),
             _table(("retains", "size", "objects", "type"),
                    [(words.size(row.retained), words.size(row.size), f"{row.count:,}",
                      escape(row.type)) for row in one.types()[:_ROWS]], "by type")]
    if summary["knows_lines"]:
        parts.append(_table(("retains", "size", "objects", "line"),
                            [(words.size(row.retained), words.size(row.size), f"{row.count:,}",
                              words.place(row) if row.file else "not known")
                             for row in one.sites()[:_ROWS]], "by the line that allocated"))
    return "".join(parts) + _text_of(one)


def _changes(words, rows, name):
    return _table(("objects", "size", "retains", name),
                  [(f"{row.count_diff:+,}", _change(words, row.size_diff),
                    _change(words, row.retained_diff),
                    escape(row.type) if hasattr(row, "type") else words.place(row))
                   for row in rows if row.size_diff > 0][:_ROWS * 2])


def _change(words, number):
    return f"+{words.size(number)}" if number >= 0 else words.size(number)


def growth(words, one):
    return _changes(words, one.rows, "type") or "<p>nothing grew</p>"


def diff(words, one):
    return (_changes(words, one.types, "type") + _changes(words, one.sites, "line")
            or "<p>nothing grew</p>")


_WRITERS = {"Why": why, "Suspect": suspect, "Garbage": garbage, "Heap": heap, "HeapDiff": diff,
            "growth": growth}


def written(thing, size, place):
    """An answer as HTML; size and place write numbers of bytes, and lines."""
    return _WRITERS[type(thing).__name__](_Words(size, place), thing)
