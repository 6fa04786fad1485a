# SPDX-License-Identifier: MIT
"""What notebooks show of the object graph: escaped tables with what the answers say."""
from html.parser import HTMLParser

import pytest

import memwhy

pytestmark = pytest.mark.no_leak_check("a heap is open, and the tracer on, for all of its tests")

HOSTILE = "<img src=x onerror='taken()'>"
VOID = {"br", "img"}


class Reader(HTMLParser):
    """Tables of cells, the tags that there are, and all text; every tag is closed."""

    def __init__(self, html):
        super().__init__()
        self.tables, self.tags, self.text = [], [], ""
        self._open = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if "td" in self._open or "th" in self._open:
            self.tables[-1][-1][-1] += data


def read(thing):
    reader = Reader(thing._repr_html_())
    assert "img" not in reader.tags and "script" not in reader.tags
    assert {len({len(row) for row in table}) for table in reader.tables} <= {1}
    return reader


class Session:
    def __init__(self, number):
        self.name = f"name {number}"
        self.data = {"text": "x" * 200 + str(number)}


@pytest.fixture(scope="module")
def sessions():
    memwhy.stop()
    memwhy.start()
    yield {f"{HOSTILE} {number}": Session(number) for number in range(20_000)}
    memwhy.stop()


@pytest.fixture(scope="module")
def heap(sessions):
    with memwhy.heap() as heap:
        yield heap


def test_a_heap_shows_suspects_types_and_lines(heap):
    shown = read(heap)
    suspects, types, lines = shown.tables
    assert suspects[0] == ["share", "size", "objects", "most allocated at", "who holds it"]
    assert any("dict(20000)" in row[-1] and "test_heap_html.py" in row[-2] for row in suspects)
    assert [row[-1] for row in types[1:]] == [row.type for row in heap.types()[:10]]
    assert [row[2] for row in lines[1:]] == [f"{row.count:,}" for row in heap.sites()[:10]]
    assert str(heap).splitlines()[0] in shown.text


def test_why_shows_ways_and_what_is_retained(heap, sessions):
    session = sessions[f"{HOSTILE} 7"]
    answer = heap.why(session)
    shown = read(answer)
    assert f"kept alive by {answer.paths[0].expression}" in shown.text
    steps = shown.tables[0]
    assert steps[0] == ["by", "retains", "object", "allocated at"]
    assert len(steps) == len(answer.paths[0].steps) + 1
    assert HOSTILE in shown.text        # the key by which it is held
    assert [row[-1] for row in shown.tables[-2][1:]] == [row.type for row in answer.retained_types]


def test_growth_shows_types(sessions):
    with memwhy.growth() as grown:
        kept = [Session(number) for number in range(500)]
    shown = read(grown)
    assert shown.tables[0][0] == ["objects", "size", "retains", "type"]
    assert any(row[0] == "+500" and row[-1].endswith("Session") for row in shown.tables[0])
    del kept
    with memwhy.growth() as grown:
        pass
    assert "nothing grew" in read(grown).text or read(grown).tables


def test_all_else_shows_what_it_prints(heap):
    for suspect in heap.suspects():
        assert read(suspect).tables[0][0][-1] == "who holds it"
    garbage = heap.garbage()
    assert f"{garbage.objects:,} objects" in read(garbage).text
    kept = [Session(number) for number in range(1000)]
    with memwhy.heap() as newer:
        shown = read(newer.diff(heap))
    assert any(row[-1].endswith("Session") for row in shown.tables[0])
    assert any("test_heap_html.py" in row[-1] for row in shown.tables[1])
    del kept


def test_a_closed_heap_has_its_repr_alone():
    with memwhy.heap() as heap:
        pass
    assert heap._repr_html_() is None
    assert "objects" in repr(heap)
