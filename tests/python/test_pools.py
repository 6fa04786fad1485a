# SPDX-License-Identifier: MIT
"""pymalloc's fast path, taken by our hooks: the heap must stay pymalloc's, to the block."""
import json
import re
import sys

import pytest
from processes import PROGRAMS, environment, python, run

from memwhy import _memwhy

pytestmark = pytest.mark.no_leak_check("runs in processes of its own")

POOLS = """
    import memwhy
    from memwhy import _memwhy

    def pools():
        return next(one for one in _memwhy._doctor()["mechanisms"] if one["name"] == "pools")
"""


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("switch", ["", "pools"])
def test_no_block_is_handed_out_twice_and_none_is_lost(seed, switch):
    done = python(PROGRAMS / "pools_stress.py", seed, env=environment(MEMWHY_DISABLE=switch))
    assert done.stdout.startswith("ok "), done.stderr
    assert int(done.stdout.split()[1]) > 5000


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("sample", [256, 65536])
def test_nor_are_they_while_blocks_are_sampled(seed, sample):
    done = python(PROGRAMS / "pools_stress.py", seed, 20000, sample)
    assert done.stdout.startswith("ok "), done.stderr
    assert int(done.stdout.split()[1]) > 5000


def test_pools_are_used_where_pymalloc_is_called_directly():
    assert "True" in run(POOLS + """
    memwhy.start()
    print(pools()["in_force"])
    """)


@pytest.mark.parametrize("allocator", ["malloc", "debug", "malloc_debug", "pymalloc_debug"])
def test_pools_are_left_alone_under_another_allocator(allocator):
    assert "False" in run(POOLS + """
    memwhy.start()
    kept = [[number] for number in range(1000)]
    assert memwhy.get_traced_memory()[0] > 1000 * 64
    print(pools()["in_force"])
    """, env=environment(PYTHONMALLOC=allocator))


def test_pools_are_left_alone_while_somebody_else_is_in_the_chain():
    """tracemalloc was there first: it must hear of every block that we do."""
    assert run(POOLS + """
    import tracemalloc
    tracemalloc.start()
    memwhy.start()
    assert not pools()["in_force"]
    before = tracemalloc.get_traced_memory()[0]
    kept = [[number] for number in range(1000)]
    assert tracemalloc.get_traced_memory()[0] - before > 1000 * 64
    memwhy.stop()
    tracemalloc.stop()
    memwhy.start()
    assert pools()["in_force"]
    print("ok")
    """) == "ok\n"


def test_who_comes_later_is_called_first_and_hears_of_every_block():
    assert run(POOLS + """
    import tracemalloc
    memwhy.start()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = [[number] for number in range(1000)]
    assert tracemalloc.get_traced_memory()[0] - before > 1000 * 64
    assert pools()["in_force"]
    tracemalloc.stop()
    print("ok")
    """) == "ok\n"


def statistics_of_pymalloc(source):
    """The sizes that sys._debugmallocstats() tells at the end of [source], up to their total."""
    done = python("-c", source + "\nimport sys; sys.stdout.flush(); sys._debugmallocstats()")
    assert done.returncode == 0, done.stderr
    table = done.stderr.split("\narena map counts")[0]
    return {name.strip(): int(value.replace(",", "")) for name, value in
            re.findall(r"^(.*?)\s*=\s*([\d,]+)$", table, re.MULTILINE)}


@pytest.mark.parametrize("options", ["", "sample=65536"])
def test_the_allocators_own_account_adds_up(options):
    """Bytes in blocks, in free blocks, in pool headers and at their ends are all its bytes."""
    totals = statistics_of_pymalloc(f"""
import memwhy
memwhy.start({options})
kept = [str(number) * (number % 40) for number in range(30000)]
del kept[::3]
kept += [bytes(number % 500) for number in range(30000)]
del kept[::2]
memwhy.stop()  # else CPython sees that its allocator is wrapped, and tells nothing
""")
    parts = [value for name, value in totals.items()
             if name.startswith("# bytes") or name.endswith("unused pools * 16384 bytes")]
    arenas = next(value for name, value in totals.items() if "bytes/arena" in name)
    assert totals["Total"] == arenas
    assert sum(parts) == arenas


def test_memory_goes_back_to_the_system_while_tracing():
    script = """
        import json
        def resident():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * 4096
        {start}
        before = resident()
        kept = [[number] for number in range(600000)]
        full = resident()
        del kept
        print(json.dumps([full - before, resident() - before]))
    """
    _, left_untraced = json.loads(run(script.format(start="")))
    for options in ("", "sample=65536"):
        start = f"import memwhy; memwhy.start({options})"
        grown, left = json.loads(run(script.format(start=start)))
        assert grown > 50_000_000
        # Labels of emptied pools are kept for the next ones: 4 bytes a block.
        assert left < left_untraced + 12_000_000


@pytest.mark.parametrize("options", ["", "sample=65536"])
def test_pools_may_be_switched_off_and_on_by_any_order_of_starts(options):
    assert run(POOLS + f"""
    for _ in range(50):
        memwhy.start({options})
        kept = [(number, [number]) for number in range(100)]
        assert pools()["in_force"]
        memwhy.stop()
        more = [(number, [number]) for number in range(100)]
        memwhy.start({options})
        del kept
        del more
        memwhy.clear_traces()
        memwhy.stop()
    print("ok")
    """) == "ok\n"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="an own GIL came with 3.12")
@pytest.mark.parametrize("options", ["", "sample=65536"])
def test_an_interpreter_with_an_allocator_of_its_own_does_not_use_the_pools_of_the_main_one(
        options):
    names = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    assert run(f"""
    import memwhy
    import threading
    import {names} as interpreters
    memwhy.start({options})
    work = "kept = [[number] for number in range(20000)]; del kept"
    def own():
        interpreter = interpreters.create()
        for _ in range(5):
            interpreters.run_string(interpreter, work)
        interpreters.destroy(interpreter)
    threads = [threading.Thread(target=own) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        exec(work)
    for thread in threads:
        thread.join()
    print("ok", memwhy.get_lost())
    """) == "ok (0, 0)\n"


def test_the_module_says_whether_they_are_in_force():
    states = {one["name"]: one for one in _memwhy._doctor()["mechanisms"]}
    assert "pymalloc" in states["pools"]["detail"] or not states["pools"]["in_force"]
