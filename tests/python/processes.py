# SPDX-License-Identifier: MIT
"""What tests share that run programs in processes of their own."""
import os
import subprocess
import sys
import textwrap
from pathlib import Path

PROGRAMS = Path(__file__).parents[1] / "programs"


def environment(**changes):
    """Ours without what asks Python for something else; None in [changes] takes away.
    PYTHONPATH stays: it may be where memwhy is."""
    kept = {name: value for name, value in os.environ.items()
            if name == "PYTHONPATH" or not name.startswith(("PYTHON", "MEMWHY"))}
    kept.update(changes)
    return {name: value for name, value in kept.items() if value is not None}


def python(*arguments, timeout=120, env=None, cwd=None):
    """Runs this interpreter; raises subprocess.TimeoutExpired if it hangs."""
    return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=timeout, env=env or environment(),
                          cwd=cwd)


def run(source, *arguments, options=(), **settings):
    """Runs the text of a program that must succeed; returns what it printed."""
    done = python(*options, "-c", textwrap.dedent(source), *arguments, **settings)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}{done.stderr}"
    assert done.stderr == ""
    return done.stdout


# For programs that go on with STARTS_AND_STOPS, and with an extension `c` whose threads are
# those of tests/programs/churn_threads.h.
STARTS_AND_STOPS = """
def start_and_stop_often(c):
    turn = 0
    while turn < 300 or c.rounds() < 100:
        memwhy.start(1 + turn % 30)
        kept = [bytes(1000), [turn], {turn: turn}]
        if turn % 3 == 0:
            memwhy.clear_traces()
        if turn % 7 == 0:
            memwhy.take_snapshot().statistics("lineno")
        memwhy.stop()
        turn += 1
"""
