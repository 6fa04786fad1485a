# SPDX-License-Identifier: MIT
"""NumPy's array buffers: exact, by line, in NumPy's own domain."""
import importlib.util

import pytest

from processes import environment, run

pytestmark = [
    pytest.mark.no_leak_check("runs in processes of its own"),
    pytest.mark.skipif(importlib.util.find_spec("numpy") is None,
                       reason="this Python has no numpy, so its arrays were not tested"),
    pytest.mark.no_sanitizer("NumPy's own libraries are not written for one"),
]

PREAMBLE = """
import sys, tracemalloc
import memwhy, memwhy.tracemalloc as tm

DOMAIN = 389047

def arrays():
    only = memwhy.DomainFilter(True, DOMAIN)
    return sorted((t.size, t.traceback) for t in memwhy.take_snapshot().filter_traces([only]).traces)

def here():
    return sys._getframe(1).f_lineno

def lines_here(traceback):
    "Those of this program: the oldest frames come first."
    return [f.lineno for f in traceback if f.filename == "<string>"]
"""

IMPORTS = ["import numpy as np\nmemwhy.start()\n", "memwhy.start()\nimport numpy as np\n"]


@pytest.fixture(params=IMPORTS, ids=["numpy-first", "memwhy-first"])
def program(request):
    def run_program(source):
        run(PREAMBLE + request.param + "\n".join(line.removeprefix("    ")
                                                 for line in source.splitlines()))
    return run_program


@pytest.mark.parametrize("expression, size", [
    ("np.ones(100_003)", 8 * 100_003),
    ("np.zeros(100_003)", 8 * 100_003),
    ("np.zeros((7, 100_003), 'i2')", 7 * 2 * 100_003),
    ("np.empty(100_003, 'f4')", 4 * 100_003),
    ("np.arange(100_003, dtype='i8')", 8 * 100_003),
    ("np.full(100_003, 1.5)", 8 * 100_003),
    ("source.copy()", 100_001),
    ("source.astype('f8')", 8 * 100_001),
    ("source + source", 100_001),
    ("np.array([source, source])", 2 * 100_001),
    ("np.resize(source, 300_003)", 300_003),
    ("np.concatenate([source, source])", 2 * 100_001),
    ("source[source == 0]", 100_001),
])
def test_an_array_has_its_size_and_its_line(program, expression, size):
    program(f"""
    source = np.zeros(100_001, "i1")
    before = arrays()
    made = {expression}; line = here()
    [(size, traceback)] = [a for a in arrays() if a not in before]
    assert (size, lines_here(traceback)) == ({size}, [line]), (size, traceback, line)
    # Beside the buffer, the traced memory only grows by small objects.
    total = memwhy.get_traced_memory()[0]
    del made
    assert abs(total - memwhy.get_traced_memory()[0] - {size}) < 10_000
    assert [a for a in arrays() if a[0] == {size}] == [a for a in before if a[0] == {size}]
    """)


def test_an_array_that_is_resized_in_place_has_its_new_size_and_line(program):
    program("""
    array = np.zeros(100_003, "i1")
    array.resize(300_007, refcheck=False); line = here()
    assert [(s, lines_here(t)) for s, t in arrays() if s > 90_000] == [(300_007, [line])]
    array.resize(10, refcheck=False)
    assert not [s for s, t in arrays() if s > 90_000]
    """)


def test_the_report_has_arrays_at_the_lines_that_made_them(program):
    program("""
    def make(n):
        return [np.zeros(100_003, "i1") for _ in range(n)]

    kept = make(5)
    [top, *_] = memwhy.take_snapshot().filter_traces(
        [memwhy.DomainFilter(True, DOMAIN)]).statistics("lineno")
    assert (top.size, top.count) == (500_015, 5)
    assert top.traceback[0].lineno == make.__code__.co_firstlineno + 1
    """)


WORK = """
    rng = np.random.default_rng(1)
    kept = []
    for i in range(300):
        n = int(rng.integers(1, 5000))
        kept.append([np.ones(n), np.zeros((n, 3), "i2"), np.arange(n)[::2].copy(),
                     np.ones(n, "f4").astype("f8"), np.sort(rng.random(n)), np.eye(int(n) % 30)])
        a = np.zeros(n)
        a.resize(2 * n, refcheck=False)
        kept.append(a)
        kept.append(np.resize(a, n + 7))
        if i % 3 == 0:
            del kept[:2]
"""


def test_both_tracers_know_the_same_arrays():
    run(PREAMBLE + """
if True:
    tracemalloc.start(25)
    memwhy.start(25)
    import numpy as np
""" + WORK + """
    ours = sorted(t for t in tm._get_traces() if t[0])
    theirs = sorted(t for t in tracemalloc._get_traces() if t[0])
    assert len(ours) > 500 and {t[0] for t in ours} == {DOMAIN}
    assert ours == theirs
""")


def test_with_the_mechanism_off_arrays_are_not_known_and_all_else_is():
    run(PREAMBLE + """
import numpy as np
memwhy.start()
kept = np.zeros(100_003, "i1")
block = bytes(70001)
assert not arrays()
assert memwhy.get_object_traceback(block) is not None
""", env=environment(MEMWHY_DISABLE="capi-domains"))
