# SPDX-License-Identifier: MIT
"""Rows by traceback keep no tuples of frames, and nobody can tell but by the memory."""
import copy
import gc
import pickle
import sys

import pytest

import memwhy
import memwhy.tracemalloc as tracemalloc

pytestmark = pytest.mark.usefixtures("untraced")

DEPTH = 1500


@pytest.fixture
def deep_recursion():
    """A snapshot with a live block at each level of a deep stack."""
    def descend(levels):
        kept = [levels]
        return (kept, descend(levels - 1)) if levels else kept

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(DEPTH + 2000)
    memwhy.start()
    kept = descend(DEPTH)
    snapshot = memwhy.take_snapshot()
    yield snapshot
    memwhy.stop()
    sys.setrecursionlimit(limit)
    # Taken apart by hand: so deep a nest of tuples should not be freed by recursion.
    while isinstance(kept, tuple):
        kept = kept[1]


def some_rows():
    def inner():
        return [bytes(2000) for _ in range(3)]

    memwhy.start()
    kept = [inner(), inner()]
    snapshot = memwhy.take_snapshot()
    memwhy.stop()
    del kept
    return snapshot, snapshot.statistics("traceback")


def twin_of(traceback):
    """The same, made of tuples."""
    twin = memwhy.Traceback(traceback._frames[::-1], traceback.total_nframe)
    twin._names = traceback._names
    return twin


def test_a_row_takes_as_many_bytes_for_a_stack_of_any_depth(deep_recursion):
    gc.collect()
    before, _ = memwhy.get_traced_memory()
    rows = deep_recursion.statistics("traceback")
    after, _ = memwhy.get_traced_memory()
    assert len(rows) > DEPTH and max(len(row.traceback) for row in rows) > DEPTH
    assert (after - before) / len(rows) < 400
    # One after the other looked at as a whole, none is kept.
    memwhy.reset_peak()
    assert sum(len(list(row.traceback)) for row in rows[:200]) > 200 * 10
    _, peak = memwhy.get_traced_memory()
    assert peak - after < 2_000_000


def test_a_difference_is_as_small(deep_recursion):
    gc.collect()
    empty = memwhy.Snapshot((), deep_recursion.traceback_limit)
    before, _ = memwhy.get_traced_memory()
    rows = deep_recursion.compare_to(empty, "traceback")
    after, _ = memwhy.get_traced_memory()
    assert len(rows) > DEPTH and (after - before) / len(rows) < 500


def test_they_are_equal_to_tracebacks_of_tuples():
    _, rows = some_rows()
    for row in rows:
        lazy, twin = row.traceback, twin_of(row.traceback)
        assert lazy == twin and twin == lazy and not lazy != twin
        assert hash(lazy) == hash(twin) and {lazy: 1}[twin] == 1
        assert not lazy < twin and lazy <= twin
        assert repr(lazy) == repr(twin) and str(lazy) == str(twin)
        assert list(lazy) == list(twin) and list(reversed(lazy)) == list(reversed(twin))
        assert lazy[-1] == twin[-1] and lazy[0] == twin[0] and lazy[1:] == twin[1:]
        assert lazy.format() == twin.format() and lazy.format(1) == twin.format(1)
        assert lazy.format(-1, True) == twin.format(-1, True)
        assert lazy[-1] in lazy and memwhy.Frame(("nowhere.py", 1)) not in lazy
        assert [frame.function for frame in lazy] == [frame.function for frame in twin]
        assert [lazy[i].module for i in range(len(lazy))] == [frame.module for frame in twin]
        assert lazy.to_json() == twin.to_json() and lazy._repr_html_() == twin._repr_html_()


def test_an_index_is_refused_in_the_same_words():
    _, rows = some_rows()
    lazy = rows[0].traceback
    twin = twin_of(lazy)
    for index in (len(lazy), -len(lazy) - 1, 10**30, "0", 1.0, None):
        with pytest.raises((IndexError, TypeError)) as theirs:
            twin[index]
        with pytest.raises(theirs.type) as ours:
            lazy[index]
        assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_they_are_pickled_and_copied_as_tuples(protocol):
    _, rows = some_rows()
    loaded = pickle.loads(pickle.dumps(rows, protocol))
    for row, again in zip(rows, loaded):
        assert again == row and repr(again) == repr(row)
        for one in (again.traceback, copy.copy(row.traceback), copy.deepcopy(row.traceback)):
            assert one == row.traceback
            assert [frame.function for frame in one] == [frame.function for frame in row.traceback]


def test_they_outlive_their_snapshot():
    snapshot, rows = some_rows()
    expected = [twin_of(row.traceback) for row in rows]
    del snapshot
    gc.collect()
    assert [row.traceback for row in rows] == expected


def test_setting_an_attribute_makes_one_like_any_other():
    _, rows = some_rows()
    traceback = rows[0].traceback
    twin = twin_of(traceback)
    traceback._names = None
    assert traceback == twin and traceback[0].function is None
    traceback._frames = (("a.py", 3),)
    assert traceback == memwhy.Traceback((("a.py", 3),)) and len(traceback) == 1
    other = rows[1].traceback
    del other._frames
    with pytest.raises(AttributeError):
        len(other)
    with pytest.raises(AttributeError):
        del other._frames
    other = rows[2].traceback
    other.__init__((("b.py", 4), ("c.py", 5)))
    assert [frame.lineno for frame in other] == [5, 4]


def test_those_without_names_have_none():
    raw = [(0, 10, (("a.py", 1), ("b.py", 2)), 2)]
    [row] = tracemalloc.Snapshot(raw, 2).statistics("traceback")
    assert row.traceback == memwhy.Traceback(raw[0][2])
    assert row.traceback[0].function is None
    with pytest.raises(AttributeError):
        row.traceback._names
    with pytest.raises(AttributeError):
        del row.traceback._names
