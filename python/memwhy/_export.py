# SPDX-License-Identifier: MIT
"""Snapshots, statistics and tracebacks as JSON, and as HTML for notebooks.

C calls these functions for the methods to_json(), write() and _repr_html_().
"""

import html
import json
import os

from memwhy import _memwhy, _snapshot_file
from memwhy._memwhy import Snapshot, Statistic, StatisticDiff, Traceback

_TOP = 10


def to_json(thing):
    """Return the JSON text of a Snapshot, Statistic, StatisticDiff or Traceback."""
    return json.dumps(_as_plain(thing))


def _as_plain(thing):
    if isinstance(thing, Snapshot):
        return _plain_snapshot(thing)
    if isinstance(thing, Traceback):
        return {"frames": _plain_frames(thing), "total_nframe": thing.total_nframe}
    plain = {"traceback": _plain_frames(thing.traceback), "size": thing.size, "count": thing.count}
    if isinstance(thing, StatisticDiff):
        plain.update(size_diff=thing.size_diff, count_diff=thing.count_diff)
    return plain


def _plain_frames(traceback):
    return [
        {
            "filename": frame.filename,
            "lineno": frame.lineno,
            "function": frame.function,
            "module": frame.module,
        }
        for frame in traceback
    ]


def _plain_snapshot(snapshot):
    statistics = snapshot.statistics("traceback")
    return {
        "traceback_limit": snapshot.traceback_limit,
        "size": sum(one.size for one in statistics),
        "count": sum(one.count for one in statistics),
        "statistics": [_as_plain(one) for one in statistics],
    }


def write(snapshot, filename, format, older):
    """Write the snapshot, or its difference to an older one, in another tool's format."""
    data = _memwhy._render(snapshot, format or _format_of(filename), older)
    _snapshot_file.write_bytes(filename, data)


def _format_of(filename):
    """The format that the file's name ends with; the longest ending counts."""
    formats = sorted(_memwhy._formats(), key=lambda one: -len(one[1]))
    name = "" if isinstance(filename, int) else os.fsdecode(filename)
    for format, extension in formats:
        if name.endswith(extension):
            return format
    raise ValueError(
        "%r does not end like a format's files (%s): say which with format="
        % (filename, ", ".join(extension for _, extension in formats))
    )


def _table(caption, heads, rows):
    """An HTML table; every text is escaped here and nowhere else."""
    parts = ["<table><caption>%s</caption><tr>" % html.escape(caption)]
    parts += ["<th>%s</th>" % html.escape(head) for head in heads]
    parts.append("</tr>")
    for row in rows:
        parts.append("<tr>")
        parts += ["<td>%s</td>" % html.escape(str(cell)) for cell in row]
        parts.append("</tr>")
    parts.append("</table>")
    return "".join(parts)


def _size_text(size):
    return str(Statistic("", size, 0)).partition("size=")[2].partition(",")[0]


def snapshot_html(snapshot):
    """Totals and the lines that allocated most, as escaped HTML."""
    statistics = snapshot.statistics("lineno")
    caption = "%s in %d blocks, allocated on %d lines" % (
        _size_text(sum(one.size for one in statistics)),
        sum(one.count for one in statistics),
        len(statistics),
    )
    rows = [(one.traceback, _size_text(one.size), one.count) for one in statistics[:_TOP]]
    return _table(caption, ("line", "size", "count"), rows)


def traceback_html(traceback):
    """The frames with their source lines, the oldest first, as escaped HTML."""
    text = "\n".join(["Traceback (most recent call last):", *traceback.format()])
    return "<pre>%s</pre>" % html.escape(text)
