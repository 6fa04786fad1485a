# SPDX-License-Identifier: MIT
"""MEMWHY_DISABLE: whatever is switched off, results stay right and the doctor says so."""
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from processes import PROGRAMS, environment, python, run

from memwhy import _memwhy, _self_check

MEMWHY = Path(sys.executable).with_name("memwhy")
NAMES = ["marks", "pools", "reuse", "detour", "capi-domains", "graph"]
SWITCHES = ["", *NAMES, "all"]
SAMPLE = ["test_tracing.py"]

pytestmark = pytest.mark.no_leak_check("runs in processes of its own")


def without(switch):
    return environment(MEMWHY_DISABLE=switch)


def mechanisms(switch):
    """{name: mechanism} as they are while something is traced."""
    return json.loads(run("""
        import json
        import memwhy
        from memwhy import _memwhy
        memwhy.start()
        found = _memwhy._doctor()["mechanisms"]
        memwhy.stop()
        print(json.dumps({one["name"]: one for one in found}))
    """, env=without(switch)))


def is_off(name, switch):
    return switch in (name, "all")


def test_these_are_all_mechanisms():
    assert [one["name"] for one in _memwhy._doctor()["mechanisms"]] == NAMES


@pytest.mark.parametrize("switch", SWITCHES)
def test_what_is_switched_off_is_not_in_force_and_nothing_else(switch):
    usual = mechanisms("")
    found = mechanisms(switch)
    for name in NAMES:
        assert found[name]["disabled"] == is_off(name, switch)
        if is_off(name, switch):
            assert not found[name]["in_force"]
            assert "switched off by MEMWHY_DISABLE" in found[name]["detail"]
        elif switch in ("", "marks", "pools", "capi-domains"):
            assert found[name]["in_force"] == usual[name]["in_force"]


@pytest.mark.parametrize("switch", SWITCHES[1:])
def test_both_tracers_still_know_the_same_blocks(switch):
    """Without `reuse`, a block from a free list is the same under a former line."""
    free_lists = "exact" if mechanisms(switch)["reuse"]["in_force"] else "may-differ"
    done = python(PROGRAMS / "differential.py", "--seed", 7, "--nframe", 25,
                  "--free-lists", free_lists, timeout=300, env=without(switch))
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 differ" in done.stdout


@pytest.mark.parametrize("switch", SWITCHES[1:])
def test_no_mark_is_wrong_and_none_is_left_where_they_are_off(switch):
    done = python(PROGRAMS / "mark_stress.py", 7, 60, timeout=300, env=without(switch))
    compared, wrong = map(int, re.match(r"(\d+) marks compared, (\d+) wrong", done.stdout).groups())
    expected = not is_off("marks", switch) and _self_check.has_place_for_marks()
    assert (compared > 0, wrong) == (expected, 0), done.stdout + done.stderr


@pytest.mark.parametrize("switch", SWITCHES[1:])
def test_a_sample_of_the_suite_passes(switch):
    """The tests of tracing itself, with each mechanism's fallback in its place."""
    here = Path(__file__).parent
    done = python("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider",
                  *(here / name for name in SAMPLE), timeout=300, env=without(switch), cwd=here)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not MEMWHY.exists(), reason="no memwhy command beside this Python")
@pytest.mark.parametrize("switch", SWITCHES[1:])
def test_the_doctor_says_what_is_switched_off(switch):
    done = subprocess.run([MEMWHY, "doctor", "--json"], capture_output=True, text=True, timeout=60,
                          env=without(switch))
    found = json.loads(done.stdout)
    assert done.returncode == 0 and found["works"]
    for one in found["mechanisms"]:
        assert one["disabled"] == is_off(one["name"], switch)
        if one["disabled"] and one["needed"]:
            assert f"{one['name']}" in found["verdict"]
            assert found["verdict"].endswith("unset MEMWHY_DISABLE.")
    assert found["environment"]["MEMWHY_DISABLE"] == switch


def test_without_graph_nobody_looks_at_objects():
    for call in ("memwhy.heap()", "memwhy.why(memwhy)", "memwhy.growth()",
                 "memwhy.heap_to('never.memwhy')", "import memwhy.objgraph"):
        said = run(f"""
            import memwhy
            for _ in range(2):
                try:
                    {call}
                except RuntimeError as error:
                    print(error)
        """, env=without("graph"))
        assert said == 2 * ("memwhy does not look at the objects of this Python, since graph is "
                            "switched off by MEMWHY_DISABLE\n"), said


# ── names that are none ───────────────────────────────────────────────────────────────

IMPORT = "import memwhy; print(memwhy._memwhy._doctor()['unknown_disabled'])"


@pytest.mark.parametrize("value, unknown", [
    ("frob", "frob"), ("marks,frob", "frob"), ("frob,marks,frab", "frob"), ("Marks", "Marks"),
    ("marks, pools", " pools"), ("al", "al"), ("x" * 500, "x" * 63),
])
def test_an_unknown_name_is_one_warning(value, unknown):
    done = python("-c", IMPORT, env=without(value))
    assert done.returncode == 0 and done.stdout == f"{unknown}\n"
    assert done.stderr.count("\n") == 1 and done.stderr.endswith(
        f'RuntimeWarning: MEMWHY_DISABLE names "{unknown}", which memwhy does not know; it knows '
        "all, marks, pools, reuse, detour, capi-domains, graph\n")


def test_an_unknown_name_never_fails_the_host():
    done = python("-W", "error", "-c", IMPORT, env=without("frob"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "frob\n", "")


@pytest.mark.parametrize("value", ["", ",", ",,marks,", "all", "marks,pools", "all,marks"])
def test_known_names_and_none_are_silent(value):
    assert run(IMPORT, env=without(value)) == "None\n"
