# SPDX-License-Identifier: MIT
"""Captures of a process in which something takes memwhy's hooks out: they are put back with the
next look, and it is said.  (Of blocks that are sampled; before 3.13 exact tracing hears of
tracemalloc.stop() itself.)"""
import textwrap

from cli_run import needs_command  # noqa: F401
from processes import environment, python
from recorded import live, read

pytestmark = needs_command

# tracemalloc.stop() puts back the allocators that were there when it started.
DEAF = textwrap.dedent("""
    import tracemalloc
    memwhy.stop()
    tracemalloc.start()
    memwhy.start(sample=1)
    tracemalloc.stop()
    lost = [bytes(1000) for _ in range(100)]
""")


def in_python(tmp_path, text, *options, **changes):
    return python(*options, "-c", "import memwhy\n" + DEAF + textwrap.dedent(text),
                  env=environment(**changes), cwd=tmp_path)


def test_snapshot_to_puts_the_hooks_back_and_warns(tmp_path):
    done = in_python(tmp_path, """
        import warnings
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            memwhy.snapshot_to("deaf.memwhy")
            kept = [bytes(1000) for _ in range(100)]
            memwhy.snapshot_to("mended.memwhy")
        for warning in caught:
            print(warning.category.__name__, warning.message)
        """)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    assert done.stdout.startswith("RuntimeWarning memwhy's hooks were taken out")
    deaf, mended = (live(read(tmp_path / name)["snapshots"][0])
                    for name in ("deaf.memwhy", "mended.memwhy"))
    assert deaf < 100_000 < mended


def test_snapshot_to_writes_nothing_when_the_warning_is_an_error(tmp_path):
    done = in_python(tmp_path, "memwhy.snapshot_to('x.memwhy')", "-W", "error::RuntimeWarning")
    assert done.returncode == 1
    assert "RuntimeWarning: memwhy's hooks were taken out" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_recording_puts_the_hooks_back_and_says_that_there_is_a_gap(tmp_path):
    done = in_python(tmp_path, """
        from memwhy import _memwhy
        _memwhy._record_now()
        kept = [bytes(1000) for _ in range(100)]
        """, MEMWHY="sample=1,capture=x.memwhy")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("memwhy: the capture has a gap: memwhy's hooks were taken out")
    assert done.stderr.count("gap") == 1
    deaf, mended = map(live, read(tmp_path / "x.memwhy")["snapshots"])
    assert deaf < 100_000 < mended
