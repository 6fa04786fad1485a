# SPDX-License-Identifier: MIT
"""Marks in frames: random programs in which every look is compared with a walk."""
import os

import pytest
from processes import PROGRAMS, python

# MEMWHY_STRESS_SEEDS=100 MEMWHY_STRESS_STEPS=2000 for a long run.
SEEDS = range(int(os.environ.get("MEMWHY_STRESS_SEEDS", "2")))
STEPS = os.environ.get("MEMWHY_STRESS_STEPS", "150")


@pytest.mark.parametrize("seed", SEEDS)
def test_every_mark_says_what_a_walk_of_the_stack_says(seed):
    done = python(PROGRAMS / "mark_stress.py", str(seed), STEPS, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 wrong, in force: True then True" in done.stdout


def test_no_look_at_a_frame_tells_that_it_carries_a_mark():
    seen = [python(PROGRAMS / "frame_views.py", how) for how in ("untraced", "traced")]
    assert [done.returncode for done in seen] == [0, 0], seen[1].stderr
    assert seen[0].stdout == seen[1].stdout
    assert "same dict twice" in seen[0].stdout


def test_c_code_that_takes_frames_as_they_are_does_no_harm_to_marked_ones():
    done = python(PROGRAMS / "frame_c_views.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "unharmed\n"
