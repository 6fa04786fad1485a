# SPDX-License-Identifier: MIT
"""Our types against the standard module's, on random raw traces and on odd ones."""

import collections.abc
import copy
import gc
import inspect
import io
import json
import pickle
import random
import tracemalloc as standard
import weakref

import pytest

import memwhy.tracemalloc as ours

# Names with everything that can be in a file name, a lone surrogate included.
FILES = ["a.py", "b.py", "lib/a.py", "a.pyc", "<unknown>", "é.py", "日本.py", "\udc80.py", "", "[a].py"]
PATTERNS = ["*", "a.py", "a.pyc", "*.py", "?.py", "[ab].py", "[!a].py", "lib/*", "<*>", "é*", "[[]*", ""]
KEYS = [("lineno", False), ("filename", False), ("traceback", False)]
KEYS += [("lineno", True), ("filename", True)]


def random_traceback(rng):
    return tuple((rng.choice(FILES), rng.randrange(4)) for _ in range(rng.randint(1, 4)))


def random_raw(rng, count):
    """Raw traces of which many have a traceback, a size or a whole trace in common."""
    tracebacks = [random_traceback(rng) for _ in range(max(1, count // 3))]
    raw = []
    for _ in range(count):
        traceback = rng.choice(tracebacks)
        total = rng.choice([None, len(traceback), len(traceback) + rng.randrange(3)])
        raw.append((rng.choice([0, 0, 0, 1, 7]), rng.choice([0, 1, 24, 512, 10**7]), traceback, total))
    return raw


def both(raw, limit=4):
    return ours.Snapshot(list(raw), limit), standard.Snapshot(list(raw), limit)


def texts(things):
    return [(str(thing), repr(thing)) for thing in things]


@pytest.fixture(params=range(25))
def rng(request):
    return random.Random(request.param)


# ── statistics, differences, filters ──────────────────────────────────────────────────


@pytest.mark.parametrize("key, cumulative", KEYS)
def test_statistics_are_those_of_the_standard_module(rng, key, cumulative):
    mine, theirs = both(random_raw(rng, rng.randrange(60)))
    assert texts(mine.statistics(key, cumulative)) == texts(theirs.statistics(key, cumulative))


@pytest.mark.parametrize("key, cumulative", KEYS)
def test_differences_are_those_of_the_standard_module(rng, key, cumulative):
    old_raw = random_raw(rng, rng.randrange(60))
    new_raw = rng.sample(old_raw, len(old_raw) // 2) + random_raw(rng, rng.randrange(40))
    mine, theirs = both(new_raw)
    my_old, their_old = both(old_raw)
    assert texts(mine.compare_to(my_old, key, cumulative)) == texts(
        theirs.compare_to(their_old, key, cumulative)
    )


def random_filter(rng):
    """The same filter of both modules."""
    if rng.random() < 0.2:
        arguments = (rng.random() < 0.5, rng.choice([0, 1, 7, 9, None]))
        return ours.DomainFilter(*arguments), standard.DomainFilter(*arguments)
    arguments = (
        rng.random() < 0.5,
        rng.choice(PATTERNS),
        rng.choice([None, None, 0, 1, 2.0]),
        rng.random() < 0.5,
        rng.choice([None, None, 0, 1]),
    )
    return ours.Filter(*arguments), standard.Filter(*arguments)


def test_filters_leave_what_the_standard_module_leaves(rng):
    raw = random_raw(rng, 60)
    for _ in range(10):
        mine, theirs = both(raw)
        pairs = [random_filter(rng) for _ in range(rng.randint(0, 3))]
        left = mine.filter_traces([pair[0] for pair in pairs])
        wanted = theirs.filter_traces([pair[1] for pair in pairs])
        assert left.traces._traces == wanted.traces._traces
        assert texts(left.statistics("lineno")) == texts(wanted.statistics("lineno"))
        assert mine.traces._traces == raw


def test_single_filters_match_what_the_standard_ones_match(rng):
    for raw in random_raw(rng, 40):
        mine, theirs = random_filter(rng)
        trace = raw[:3] + (len(raw[2]),)
        assert mine._match(trace) == theirs._match(trace)
        if isinstance(mine, ours.Filter):
            assert mine._match_traceback(raw[2]) == theirs._match_traceback(raw[2])
            assert mine._match_frame(*raw[2][0]) == theirs._match_frame(*raw[2][0])


class BySize:
    """A filter that nobody foresaw: it looks at the size."""

    def __init__(self, inclusive, least):
        self.inclusive, self.least, self.asked = inclusive, least, 0

    def _match(self, trace):
        self.asked += 1
        domain, size, traceback, total_nframe = trace
        return size >= self.least


class EndsWith(ours.Filter):
    def _match_frame_impl(self, filename, lineno):
        return filename.endswith(self.filename_pattern)


def test_foreign_filters_decide_by_the_whole_trace(rng):
    raw = random_raw(rng, 60)
    mine, theirs = both(raw)
    left = mine.filter_traces([BySize(True, 100)])
    assert left.traces._traces == theirs.filter_traces([BySize(True, 100)]).traces._traces


def test_foreign_filters_are_asked_once_per_site_and_size():
    snapshot = ours.Snapshot([(0, 8, (("a.py", 1),), 1)] * 1000, 1)
    foreign = BySize(True, 1)
    assert len(snapshot.filter_traces([foreign]).traces) == 1000
    assert foreign.asked == 1


def test_a_subclass_of_filter_replaces_how_frames_match():
    raw = [(0, 8, (("a.py", 1),), 1), (0, 8, (("b.txt", 1),), 1)]
    left = ours.Snapshot(raw, 1).filter_traces([EndsWith(True, "txt")])
    assert left.traces._traces == raw[1:]


def test_labels_group_what_tracemalloc_does_not():
    raw = [(0, 8, (("a.py", 1),), 1), (1, 5, (("b.py", 1),), 1)]
    snapshot = ours.Snapshot(raw, 1)
    rows = snapshot.statistics("domain")
    assert [str(row) for row in rows] == [
        "domain 0: size=8 B, count=1, average=8 B",
        "domain 1: size=5 B, count=1, average=5 B",
    ]
    assert (rows[0].traceback[0].filename, rows[0].traceback[0].lineno) == ("domain 0", 0)
    assert [str(row.traceback) for row in snapshot.statistics("module")] == ["a.py", "b.py"]
    assert str(snapshot.compare_to(snapshot, "thread")[0].traceback) == "<unknown>"
    assert len(snapshot.statistics("function")) == 2


def test_sizes_that_python_cannot_add_up_in_64_bits_are_added_all_the_same():
    raw = [(0, 2**62, (("a.py", 1),), 1)] * 8
    mine, theirs = both(raw)
    assert texts(mine.statistics("lineno")) == texts(theirs.statistics("lineno"))


ODD_TRACES = [
    (0, -5, (("a.py", 1),), 1),
    (0, 2.5, (("a.py", 1),), 1),
    (0, 5, (("a.py", None),), 1),
    (0, 5, (("a.py", 1), ("b.py", 2)), 1),
    (0, 5, (("a.py", 1),), 0),
    (2**40, 5, (("a.py", 1),), 1),
    ("domain", 5, (("a.py", 1),), 1),
    (0, 5, ((b"a.py", 1),), 1),
    (0, 5, (("a.py", 2**40),), 1),
    [0, 5, (("a.py", 1),), 1],
]


@pytest.mark.parametrize("odd", ODD_TRACES, ids=repr)
def test_traces_that_fit_no_table_are_treated_as_the_standard_module_does(odd):
    for key, cumulative in KEYS:
        mine, theirs = both([odd, odd])
        assert mine.traces._traces == [odd, odd]
        assert texts(mine.statistics(key, cumulative)) == texts(theirs.statistics(key, cumulative))
        assert texts(mine.compare_to(ours.Snapshot([], 1), key, cumulative)) == texts(
            theirs.compare_to(standard.Snapshot([], 1), key, cumulative)
        )
    keep = [ours.DomainFilter(True, odd[0])]
    assert len(both([odd])[0].filter_traces(keep).traces) == 1
    assert pickle.loads(pickle.dumps(mine)).traces._traces == [odd, odd]


# ── errors ────────────────────────────────────────────────────────────────────────────


def outcome(function, *args, **kwargs):
    try:
        return function(*args, **kwargs)
    except Exception as error:
        text = str(error).partition(". Did you mean")[0]
        return type(error), text.replace("memwhy.tracemalloc.", "tracemalloc.")


CALLS = {
    "no frame": lambda m: m.Frame(),
    "two frames": lambda m: m.Frame(1, 2),
    "wrong keyword": lambda m: m.Frame(colour=1),
    "twice": lambda m: m.Frame((1, 2), frame=3),
    "five missing": lambda m: m.StatisticDiff(),
    "two missing": lambda m: m.Snapshot(),
    "three missing": lambda m: m.Statistic(),
    "too many": lambda m: m.Filter(1, "a", 3, 4, 5, 6),
    "no pattern": lambda m: m.Filter(True),
    "pattern a number": lambda m: m.Filter(True, 5),
    "pattern bytes": lambda m: m.Filter(True, b"a"),
    "read-only pattern": lambda m: setattr(m.Filter(True, "a"), "unknown", 1),
    "base filter": lambda m: m.BaseFilter(True)._match(()),
    "short trace": lambda m: m.Filter(True, "a")._match((1, 2, 3)),
    "long trace": lambda m: m.Filter(True, "a")._match((1, 2, 3, 4, 5)),
    "long trace of an iterator": lambda m: m.DomainFilter(True, 1)._match(iter(range(9))),
    "frames a number": lambda m: m.Traceback(5),
    "empty traceback": lambda m: str(m.Traceback(())),
    "index": lambda m: m.Traceback((("a", 1),))[3],
    "index a str": lambda m: m.Traceback((("a", 1),))["x"],
    "contains a number": lambda m: 5 in m.Traceback((("a", 1),)),
    "not in index": lambda m: m.Traceback((("a", 1),)).index(5),
    "order": lambda m: m.Frame(("a", 1)) < 5,
    "order of traces": lambda m: m.Trace((0, 1, ())) < m.Trace((0, 1, ())),
    "no attribute": lambda m: m.Frame.__new__(m.Frame).filename,
    "hash": lambda m: hash(m.Snapshot([], 1).traces),
    "hash of a frame": lambda m: hash(m.Frame([])),
    "key": lambda m: m.Snapshot([], 1).statistics("colour"),
    "key a number": lambda m: m.Snapshot([], 1).statistics(5),
    "cumulative": lambda m: m.Snapshot([], 1).statistics("traceback", True),
    "no key": lambda m: m.Snapshot([], 1).statistics(),
    "compare to a number": lambda m: m.Snapshot([], 1).compare_to(5, "lineno"),
    "filters no list": lambda m: m.Snapshot([], 1).filter_traces(m.Filter(True, "a")),
    "filter a number": lambda m: m.Snapshot([], 1).filter_traces([5]),
    "traces index": lambda m: m.Snapshot([], 1).traces[0],
    "traces index a str": lambda m: m.Snapshot([], 1).traces["x"],
    "size a str": lambda m: str(m.Statistic("x", "y", 1)),
    "count a str": lambda m: str(m.Statistic("x", 1, "y")),
    "short raw trace": lambda m: m.Snapshot([(0, 1, (("a", 1),))], 1).statistics("lineno"),
    "no frames": lambda m: m.Snapshot([(0, 1, (), 1)], 1).statistics("filename"),
    "load nothing": lambda m: m.Snapshot.load(),
    "load a missing file": lambda m: m.Snapshot.load("/nonexistent/file"),
    "dump into a missing directory": lambda m: m.Snapshot([], 1).dump("/nonexistent/file"),
    "format limit": lambda m: m.Traceback((("a", 1),)).format("x"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_wrong_use_gives_the_standard_error(call):
    mine, theirs = outcome(call, ours), outcome(call, standard)
    assert mine == theirs


# ── the face of the types ─────────────────────────────────────────────────────────────


def test_every_name_and_signature_is_there():
    for name in dir(standard):
        original, copied = getattr(standard, name), getattr(ours, name)
        if isinstance(original, type) or inspect.isroutine(original):
            assert outcome(inspect.signature, copied) == outcome(inspect.signature, original)
    assert set(dir(ours)) - set(dir(standard)) == {"_memwhy", "install", "uninstall"}


@pytest.mark.parametrize(
    "name", ["Frame", "Traceback", "Trace", "Statistic", "StatisticDiff", "Filter", "DomainFilter",
             "BaseFilter", "Snapshot", "_Traces"]
)
def test_every_method_has_its_signature(name):
    original, copied = getattr(standard, name), getattr(ours, name)
    assert copied.__name__ == original.__name__
    for attribute, value in vars(original).items():
        if inspect.isfunction(value) and not attribute.startswith("__"):
            mine = inspect.signature(getattr(copied, attribute))
            assert list(mine.parameters) == list(inspect.signature(value).parameters)
            assert str(mine).replace(", /", "") == str(inspect.signature(value))


def test_sizes_are_shown_as_the_standard_module_shows_them():
    sizes = [0, 1, -1, 99, 100, 10239, 10240, 102399, 10**6, -(10**7), 10**9, 10**13, 10**17, 2.5]
    for size in sizes:
        for sign in (False, True):
            assert ours._format_size(size, sign) == standard._format_size(size, sign)
        arguments = ("here", size, size, 3, -3)
        assert str(ours.StatisticDiff(*arguments)) == str(standard.StatisticDiff(*arguments))


def test_records_have_settable_attributes_and_nothing_else():
    statistic = ours.Statistic("anything", 1, 2)
    statistic.size = "large"
    assert statistic._sort_key() == ("large", 2, "anything")
    with pytest.raises(AttributeError):
        statistic.colour = "blue"
    assert ours.Statistic.__slots__ == standard.Statistic.__slots__
    del statistic.size
    with pytest.raises(AttributeError):
        hash(statistic)


def test_tracebacks_are_sequences():
    frames = (("a.py", 2), ("b.py", 4), ("a.py", 2))
    mine, theirs = ours.Traceback(frames, 3), standard.Traceback(frames, 3)
    assert isinstance(mine, collections.abc.Sequence)
    assert mine._frames == theirs._frames and mine.total_nframe == 3
    assert texts(mine) == texts(theirs)
    assert texts(reversed(mine)) == texts(reversed(theirs))
    assert texts(mine[::2]) == texts(theirs[::2]) and str(mine[-1]) == str(theirs[-1])
    assert mine.count(mine[0]) == 2 and mine.index(mine[1]) == 1 and mine[1] in mine
    match mine:
        case [first, *_]:
            assert first == mine[0]
    mine._frames = (("c.py", 1),)
    assert str(mine) == "c.py:1"


def test_tracebacks_and_frames_are_ordered_as_their_tuples(rng):
    raw = [random_traceback(rng) for _ in range(30)]
    mine = sorted(map(ours.Traceback, raw))
    theirs = sorted(map(standard.Traceback, raw))
    assert texts(mine) == texts(theirs)
    assert [hash(one) for one in mine] == [hash(one) for one in theirs]
    one, other = mine[0][0], mine[-1][0]
    assert (one <= other, one >= other) == (one._frame <= other._frame, one._frame >= other._frame)
    assert one.__lt__(5) is NotImplemented and one != 5


@pytest.mark.parametrize("limit", [None, 0, 1, 2, 5, -1, -5])
@pytest.mark.parametrize("recent_first", [False, True])
def test_tracebacks_are_formatted_with_their_source(limit, recent_first):
    frames = ((__file__, 1), ("missing.py", 3), (__file__, 2))
    mine = ours.Traceback(frames).format(limit, recent_first)
    assert mine == standard.Traceback(frames).format(limit, recent_first)
    assert limit in (0, -5) or len(mine) > 1


def test_traces_are_a_lazy_sequence(rng):
    raw = random_raw(rng, 20)
    mine, theirs = both(raw)
    mine.statistics("lineno")
    assert texts(mine.traces) == texts(theirs.traces)
    assert texts(mine.traces[3:15:4]) == texts(theirs.traces[3:15:4])
    assert texts(mine.traces[::-1]) == texts(theirs.traces[::-1])
    assert texts(reversed(mine.traces)) == texts(reversed(theirs.traces))
    assert len(mine.traces) == 20 and mine.traces[-1] in mine.traces
    assert mine.traces == ours.Snapshot(raw, 1).traces != ours.Snapshot(raw[1:], 1).traces
    shared = {id(trace[2]) for trace in mine.traces._traces}
    assert len(shared) == len({trace[2:] for trace in raw})


def test_what_a_caller_changes_in_their_raw_traces_is_seen():
    raw = [(0, 8, (("a.py", 1),), 1)]
    snapshot = ours.Snapshot(raw, 1)
    assert snapshot.traces._traces is raw and snapshot.statistics("lineno")[0].size == 8
    raw.append((0, 5, (("a.py", 1),), 1))
    assert snapshot.statistics("lineno")[0].size == 13
    snapshot.traces._traces = raw[1:]
    assert snapshot.statistics("lineno")[0].size == 5


def test_subclasses_weak_references_and_attributes():
    class Mine(ours.Snapshot):
        pass

    snapshot = Mine([(0, 8, (("a.py", 1),), 1)], 1)
    snapshot.note = "kept"
    assert copy.copy(snapshot).note == "kept"
    reference = weakref.ref(snapshot)
    snapshot.itself = snapshot
    del snapshot
    gc.collect()
    assert reference() is None
    one = ours.Filter(True, "a.py")
    one.note = "kept"
    assert pickle.loads(pickle.dumps(one)).note == "kept" and vars(one)["lineno"] is None


# ── copies, pickles, JSON, HTML ───────────────────────────────────────────────────────


class FromStandard(pickle.Unpickler):
    def find_class(self, module, name):
        return super().find_class({"tracemalloc": "memwhy.tracemalloc"}.get(module, module), name)


class ToStandard(pickle.Unpickler):
    def find_class(self, module, name):
        return super().find_class({"memwhy.tracemalloc": "tracemalloc"}.get(module, module), name)


def things_of(module, raw):
    snapshot = module.Snapshot(raw, 4)
    trace = snapshot.traces[0]
    yield from (trace, trace.traceback, trace.traceback[0], snapshot.statistics("lineno")[0])
    yield snapshot.compare_to(snapshot, "traceback")[0]


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_go_both_ways(rng, protocol):
    raw = random_raw(rng, 5)
    for mine, theirs in zip(things_of(ours, raw), things_of(standard, raw)):
        loaded = FromStandard(io.BytesIO(pickle.dumps(theirs, protocol))).load()
        assert loaded == mine and repr(loaded) == repr(mine)
        assert pickle.loads(pickle.dumps(mine, protocol)) == mine
        assert copy.deepcopy(mine) == copy.copy(mine) == mine
    for mine, theirs in (random_filter(rng) for _ in range(5)):
        data = pickle.dumps(mine, protocol)
        assert vars(ToStandard(io.BytesIO(data)).load()) == vars(theirs) == vars(mine)


def test_snapshots_survive_copies_and_pickles(rng):
    raw = random_raw(rng, rng.randrange(60))
    snapshot = ours.Snapshot(raw, 4)
    for again in (pickle.loads(pickle.dumps(snapshot)), copy.deepcopy(snapshot)):
        assert again.traces._traces == raw and again.traces == snapshot.traces
        assert again.traceback_limit == 4
        assert again.statistics("lineno") == snapshot.statistics("lineno")


def test_a_pickle_costs_by_sites_not_by_blocks():
    snapshot = ours.Snapshot([(0, 8, (("a.py", 1),), 1)] * 100_000, 1)
    assert len(pickle.dumps(snapshot)) < 1000


def test_json_has_totals_and_tracebacks():
    raw = [(0, 8, (("a.py", 1), ("é.py", 2)), 2), (0, 5, (("a.py", 1), ("é.py", 2)), 2)]
    plain = json.loads(ours.Snapshot(raw, 2).to_json())
    assert (plain["size"], plain["count"], plain["traceback_limit"]) == (13, 2, 2)
    frames = plain["statistics"][0]["traceback"]
    assert [(frame["filename"], frame["lineno"]) for frame in frames] == [("é.py", 2), ("a.py", 1)]
    assert json.loads(ours.Snapshot(raw, 2).statistics("lineno")[0].to_json())["size"] == 13


def test_html_is_escaped():
    snapshot = ours.Snapshot([(0, 8, (("<b>.py", 1),), 1)], 1)
    for text in (snapshot._repr_html_(), snapshot.traces[0].traceback._repr_html_()):
        assert "&lt;b&gt;.py" in text and "<b>" not in text
