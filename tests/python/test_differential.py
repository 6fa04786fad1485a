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

# How memwhy is told of objects from free lists, by what is switched off; from 3.13 on there
# is but one way.  Told by nobody, it leaves such a block with the site of its first life.
FREE_LISTS = {None: "exact", "detour": "exact", "reuse": "may-differ"}


def compare(seed, *options, disabled=None):
    """Each seed is also one of hashes, and the depths of tracebacks take turns."""
    settings = {"PYTHONHASHSEED": str(seed), "MEMWHY_DISABLE": disabled}
    arguments = ["--seed", seed, "--nframe", NFRAMES[seed % len(NFRAMES)],
                 "--free-lists", FREE_LISTS[disabled], *options]
    done = python(PROGRAMS / "differential.py", *arguments, timeout=300,
                  env=environment(**settings))
    assert done.returncode == 0, f"{settings} {arguments}\n{done.stdout}{done.stderr}"
    assert ", 0 differ" in done.stdout


@pytest.mark.parametrize("seed", SEEDS)
def test_both_tracers_know_the_same_blocks(seed):
    compare(seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_start_filters_leave_what_filter_traces_leaves(seed):
    compare(seed, "--filters")


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="there is no detour where the "
                    "interpreter itself tells of objects")
@pytest.mark.parametrize("seed", SEEDS)
def test_both_tracers_know_the_same_blocks_without_a_detour(seed):
    compare(seed, disabled="detour")


@pytest.mark.parametrize("seed", SEEDS)
def test_both_tracers_count_the_same_blocks_where_none_tells_of_free_lists(seed):
    compare(seed, disabled="reuse")
