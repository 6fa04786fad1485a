# SPDX-License-Identifier: MIT
"""max_overhead: programs without end, and what memwhy holds of them."""
import inspect
import json

import memwhy
import pytest

from processes import PROGRAMS, python

pytestmark = [
    pytest.mark.no_leak_check("runs in processes of its own"),
    pytest.mark.skipif("max_overhead" not in inspect.signature(memwhy.start).parameters,
                       reason="start() of this build takes no max_overhead"),
]

CEILING = 8 << 20
PROGRAM = PROGRAMS / "endless.py"
ALL_STAGES = ["exact", "folded", "cut", "coarse", "losing"]


def run_endless(kind):
    """The program checks, as it goes, that memwhy stays below its bound and computes what
    it would compute untraced."""
    return json.loads(python(str(PROGRAM), kind, str(CEILING)).stdout)


@pytest.mark.no_sanitizer("a sanitizer's memory is resident too")
@pytest.mark.parametrize("kind, stage", [("paths", "cut"), ("codes", "coarse")])
def test_a_program_that_never_repeats_itself_grows_by_the_bound_at_most(kind, stage):
    found = run_endless(kind)
    assert found["reached"] == ALL_STAGES[:ALL_STAGES.index(stage) + 1]
    assert found["lost"] == [0, 0]
    # The program's own share is a few megabytes of the interpreter's.
    assert found["resident"] < CEILING + (8 << 20)


def test_threads_share_what_they_have_in_common():
    found = run_endless("threads")
    assert found["reached"] == ["exact"]
    assert found["lost"] == [0, 0]


def test_a_program_that_keeps_everything_loses_blocks_at_last_and_counts_them():
    found = run_endless("blocks")
    # A large table may skip a stage; the program checks their order.
    assert found["reached"][0] == "exact" and found["reached"][-1] == "losing"
    blocks, size = found["lost"]
    assert blocks > 0 and size > blocks
    assert found["degraded"]["used"] <= CEILING
    assert abs(found["current"] - found["total"]) < 10000
