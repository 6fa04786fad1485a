# SPDX-License-Identifier: MIT
"""A snapshot written as a page holds what the snapshot says, to the byte."""
import sys
from pathlib import Path

import pytest

import memwhy

sys.path.append(str(Path(__file__).parents[1] / "page"))
from page_data import Data  # noqa: E402  (a second reader, written from docs/page.md)


def write(snapshot, path, **options):
    try:
        snapshot.write(path, **options)
    except Exception as error:
        if "node was missing" in str(error):
            pytest.skip("memwhy was built without a page: node was missing")
        raise
    return Data(path.read_text(encoding="utf-8"))


def by_line(snapshot):
    return {(one.traceback[-1].filename, one.traceback[-1].lineno): (one.size, one.count)
            for one in snapshot.statistics("lineno")}


@pytest.fixture
def snapshots(untraced):
    """An older one and a newer."""
    memwhy.start()
    kept = [bytearray(1000 + i) for i in range(50)]
    older = memwhy.take_snapshot()
    del kept[10:]
    kept.append({i: str(i) for i in range(1000)})
    newer = memwhy.take_snapshot()
    memwhy.stop()
    return older, newer


def test_a_page_has_what_the_statistics_say(snapshots, tmp_path):
    older, newer = snapshots
    data = write(newer, tmp_path / "page.html")
    assert data.by_line(0) == by_line(newer)
    assert data.facts["states"][0]["bytes"] == sum(one.size for one in newer.statistics("lineno"))


def test_a_page_of_a_difference_has_both(snapshots, tmp_path):
    older, newer = snapshots
    data = write(newer, tmp_path / "page.html", older=older)
    assert [state["role"] for state in data.facts["states"]] == ["shown", "older"]
    for number, snapshot in enumerate((newer, older)):
        expected = by_line(snapshot)
        found = {line: sums for line, sums in data.by_line(number).items() if sums != (0, 0)}
        assert found == expected


def test_a_page_has_the_text_of_the_lines(snapshots, tmp_path):
    data = write(snapshots[0], tmp_path / "page.html")
    texts = {data.strings[text] for *_, text in data.frames}
    assert "kept = [bytearray(1000 + i) for i in range(50)]" in texts
