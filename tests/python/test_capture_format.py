# SPDX-License-Identifier: MIT
"""memwhy's reader of captures and a second one, written from docs/format.md alone, agree; and
what neither can read, each refuses."""
import random

import pytest

from captures import CORPUS, assert_agree, memwhy, read, reference, Writer

SERIES = sorted([*CORPUS.glob("series*.memwhy"), *CORPUS.glob("heap*.memwhy")])
PROGRAM = {"name": "app.py", "pid": 7, "parent_pid": -3, "frame_limit": 9,
           "start_unix_ns": 10 ** 18, "program_places": ["/srv/é", "/\udcff"]}


# ── random captures ───────────────────────────────────────────────────────────────────

def random_site(rng, epochs):
    depth = rng.randint(1, 12)
    frames = tuple(reference.Frame(rng.choice(["a.py", "é.py", "", "\ud800"]), rng.randint(-1, 4),
                                   rng.choice(["", "f", "g"]), rng.choice(["", "m"]),
                                   rng.randint(0, 1)) for _ in range(depth))
    return reference.Site(frames, rng.choice([0, depth, depth + 5]), rng.randint(0, 2 ** 32 - 1),
                          rng.randint(0, 3), rng.choice(epochs))


def random_counts(rng, totals):
    blocks = rng.choice([0, 1, rng.randint(1, 9), rng.randint(1, 2 ** 40)])
    size = blocks and rng.choice([blocks, 16 * blocks, rng.randint(0, 2 ** 50)])
    if not totals:
        return reference.Counts(blocks, size)
    total = blocks + rng.choice([0, rng.randint(0, 2 ** 40)])
    return reference.Counts(blocks, size, total, total and rng.randint(0, 2 ** 50))


def random_state(rng, sites, before, totals):
    """The one before with some of it changed."""
    state = dict(before)
    for site in rng.sample(sites, rng.randint(0, len(sites))):
        state[site] = random_counts(rng, totals)
    return {site: counts for site, counts in state.items() if counts != reference.Counts()}


def random_points(rng, time):
    points = []
    for _ in range(rng.randint(1, 3)):
        time += rng.choice([0, 1, rng.randint(0, 10 ** 11)])
        points.append(reference.Point(time, *(rng.randint(0, 2 ** 64 - 1) for _ in range(5))))
    return points


def random_capture(seed):
    """The bytes, and the states of which they must tell."""
    rng = random.Random(seed)
    totals = rng.random() < 0.6
    writer = Writer(rng, PROGRAM)
    threads = {1: "MainThread", 2: "wörker", 65535: ""}
    state, states, time, epochs, sites = {}, [], 0, [0], []
    for _ in range(rng.randint(0, 6)):
        epochs.append(epochs[-1] + rng.randint(1, 10 ** 10))
        sites += [random_site(rng, epochs) for _ in range(rng.randint(1, 5))]
        state = random_state(rng, sites, state, totals)
        points = random_points(rng, time)
        time = points[-1].time
        writer.snapshot(points, state, totals, thread_names=threads, epochs=epochs,
                        anew=rng.random() < 0.3)
        states.append(state)
        more(rng, writer, state, totals, points[-1])
    if rng.random() < 0.5:
        writer.end(rng.choice([0, 1, -9]))
    return writer.data, states


def more(rng, writer, state, totals, point):
    """What may stand between two snapshots."""
    if rng.random() < 0.3:
        writer.peak(point, random_state(rng, list(state), state, totals), totals)
    if rng.random() < 0.3:
        writer.look([reference.Point(point.time)])
    if rng.random() < 0.3:
        writer.child(time_ns=5, pid=rng.randint(1, 9), capture="x.memwhy")
    if rng.random() < 0.3:
        writer.input(file="y.memwhy", live_bytes=2 ** 63, time_ns=1)
    if rng.random() < 0.3:
        writer.unknown()
    files = {frame.file for site in state for frame in site.frames}
    if files and rng.random() < 0.5:
        writer.source({(file, line): b"x = \xff%d" % line for file in files for line in (1, 2)})


@pytest.mark.parametrize("seeds", [range(start, start + 10) for start in range(0, 60, 10)])
def test_both_readers_read_what_a_third_party_wrote(tmp_path, seeds):
    for seed in seeds:
        data, states = random_capture(seed)
        path = tmp_path / "x.memwhy"
        path.write_bytes(data)
        capture = read(data)
        assert capture.snapshots == states
        assert_agree(path, capture)


# ── captures of memwhy's own ──────────────────────────────────────────────────────────

@pytest.mark.parametrize("path", SERIES, ids=lambda path: path.stem)
def test_both_readers_read_what_memwhy_wrote(path):
    assert_agree(path, read(path.read_bytes()))


def test_there_are_captures_of_every_kind():
    captures = [read(path.read_bytes()) for path in SERIES]
    assert any(capture.peak for capture in captures)
    assert any(capture.children for capture in captures)
    assert any(capture.lines for capture in captures)
    assert any(len(capture.snapshots) > 3 for capture in captures)
    assert any(capture.exit_status is None for capture in captures)


def test_both_readers_stop_where_a_capture_is_cut_off(tmp_path):
    data, _ = random_capture(3)
    path = tmp_path / "x.memwhy"
    for length in range(0, len(data), 97):
        path.write_bytes(data[:length])
        try:
            capture = reference.read_capture(data[:length])
        except reference.Damaged:
            assert memwhy("dump", path).returncode == 2
        else:
            assert_agree(path, capture)


# ── what is refused ───────────────────────────────────────────────────────────────────

def refusal(tmp_path, data):
    path = tmp_path / "x.memwhy"
    path.write_bytes(data)
    done = memwhy("dump", path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(f"memwhy: {path}: ") and done.stderr.count("\n") == 1
    return done.stderr.removeprefix(f"memwhy: {path}: ").strip()


def test_neither_reads_what_is_no_capture(tmp_path):
    for data in (b"", b"\x89memwhx\n" + bytes(8), b"GIF89a, and so on, for a while"):
        with pytest.raises(reference.Damaged):
            reference.read_capture(data)
        assert refusal(tmp_path, data) == "is not a capture of memwhy."


def test_both_say_that_a_file_is_from_the_future(tmp_path):
    data, _ = random_capture(3)
    data = data[:8] + b"\2\0" + data[10:]
    with pytest.raises(reference.Newer):
        reference.read_capture(data)
    assert refusal(tmp_path, data) == ("was made by a newer memwhy, format 2; "
                                       "this one reads up to 1.")


def test_both_refuse_a_file_that_is_damaged_in_its_middle(tmp_path):
    data, _ = random_capture(3)
    where = 16 + 16 + int.from_bytes(data[24:28], "little") + 20
    data = data[:where] + bytes([data[where] ^ 1]) + data[where + 1:]
    with pytest.raises(reference.Damaged):
        reference.read_capture(data)
    assert "is damaged: its checksum does not match." in refusal(tmp_path, data)


def one_site(domain=0):
    return reference.Site((reference.Frame("a.py", 1, "f", "", 0),), 1, domain, 0, 0)


def test_neither_reads_what_counts_one_site_twice(tmp_path):
    writer = Writer(random.Random(1), PROGRAM)
    writer.snapshot([reference.Point(1)], {one_site(): reference.Counts(1, 8)}, False)
    writer.segment.new["sites"].append((1, 0, 0, 0, 0))
    writer.snapshot([reference.Point(2)], {one_site(): reference.Counts(2, 16)}, False)
    assert refusal(tmp_path, writer.data).endswith("is damaged: a site is there twice.")


@pytest.mark.parametrize("counts", [(2**63, 8), (8, 2**63), (1, 8, 2**63, 8), (1, 8, 8, 2**63)])
def test_refuses_sums_that_no_process_can_have(tmp_path, counts):
    writer = Writer(random.Random(1), PROGRAM)
    state = {one_site(): reference.Counts(*counts), one_site(1): reference.Counts(*counts)}
    writer.snapshot([reference.Point(1)], state, len(counts) == 4)
    assert refusal(tmp_path, writer.data).endswith("is damaged: a sum is out of range.")


def test_help_is_the_same_however_it_is_asked_for():
    usage = memwhy("help", "dump").stdout
    assert usage == memwhy("dump", "--help").stdout == memwhy("dump", "-h").stdout
    assert usage.startswith("usage: memwhy dump CAPTURE\n")


@pytest.mark.parametrize("arguments, sentence", [
    ([], 'dump wants a capture; see "memwhy help dump".'),
    (["a", "b"], 'dump has no use for "b"; see "memwhy help dump".'),
    (["a", "--frob"], 'dump has no option "--frob"; see "memwhy help dump".'),
    (["--frob"], 'dump has no option "--frob"; see "memwhy help dump".'),
])
def test_refuses_in_one_sentence(arguments, sentence):
    done = memwhy("dump", *arguments)
    assert (done.returncode, done.stderr) == (2, f"memwhy: {sentence}\n")
