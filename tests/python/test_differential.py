# SPDX-License-Identifier: MIT
"""memwhy's tracer and the standard one in one process: every traceback has the same blocks.

    MEMWHY_DIFFERENTIAL_RUNS=100 python -m pytest tests/python/test_differential.py

is a hundred runs in a row; MEMWHY_DIFFERENTIAL_SEED says with which seed they begin.
"""
import os
import sys

import pytest

from processes import PROGRAMS, environment, python

pytestmark = pytest.mark.no_leak_check("runs in processes of its own")

FIRST_SEED = int(os.environ.get("MEMWHY_DIFFERENTIAL_SEED", "0"))
RUNS = int(os.environ.get("MEMWHY_DIFFERENTIAL_RUNS", "3"))
SEEDS = range(FIRST_SEED, FIRST_SEED + RUNS)
NFRAMES = (1, 25, 300)

# Before 3.13 the interpreter tells nobody but its own tracer when an object comes from a
# free list, so such a block keeps the site of its first allocation here.
FREE_LISTS = "exact" if sys.version_info >= (3, 13) else "may-differ"


@pytest.mark.parametrize("seed", SEEDS)
def test_both_tracers_know_the_same_blocks(seed):
    """Each seed is also one of hashes, and the depths of tracebacks take turns."""
    nframe = NFRAMES[seed % len(NFRAMES)]
    done = python(PROGRAMS / "differential.py", "--seed", seed, "--nframe", nframe,
                  "--free-lists", FREE_LISTS, timeout=300, env=environment(PYTHONHASHSEED=str(seed)))
    command = f"differential.py --seed {seed} --nframe {nframe} --free-lists {FREE_LISTS}"
    assert done.returncode == 0, f"PYTHONHASHSEED={seed} {command}\n{done.stdout}{done.stderr}"
    assert ", 0 differ" in done.stdout
