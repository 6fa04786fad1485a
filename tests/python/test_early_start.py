# SPDX-License-Identifier: MIT
"""MEMWHY=… starts the tracing as the interpreter starts, before the program's imports."""
import json
import os
import subprocess
import sys

import pytest

from cli_run import MEMWHY, needs_command
from processes import environment, python, run

pytestmark = pytest.mark.no_leak_check("runs in processes of its own")

TELL = """
    import json, memwhy
    print(json.dumps([memwhy.is_tracing(), memwhy.get_traceback_limit()]))
"""


def told(settings, source=TELL, **changes):
    return json.loads(run(source, env=environment(MEMWHY=settings, **changes)))


def is_started_by_pth():
    """Whether site reads the .pth line: not where memwhy is found by PYTHONPATH alone."""
    done = python("-c", "import sys; print('memwhy' in sys.modules)", env=environment(MEMWHY="1"))
    return done.stdout == "True\n"


if not is_started_by_pth():
    pytestmark = [pytestmark, pytest.mark.skip(reason="memwhy.pth is not where site reads it")]


# ── what it says ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("settings, expected", [
    ("1", [True, 65535]),
    (" 1 ", [True, 65535]),
    ("0", [False, 1]),
    ("", [False, 1]),
    ("nframe=25", [True, 25]),
    ("nframe=1,exclude=*", [True, 1]),
    (" nframe=3 , only=*.py ", [True, 3]),
])
def test_tracing_starts_as_told(settings, expected):
    assert told(settings) == expected


@pytest.mark.parametrize("kind", ["isolated", "legacy"])
def test_sub_interpreters_are_traced_and_say_nothing(kind):
    """Each reads the .pth line too, and one of its own GIL cannot import memwhy."""
    assert told("1", f"""
        import json, os, sys
        import memwhy
        try:
            import _interpreters as interpreters
            one = interpreters.create({kind!r})
        except ImportError:
            import _xxsubinterpreters as interpreters
            one = interpreters.create(isolated={kind == "isolated"})
        before = memwhy.get_traced_memory()[0]
        interpreters.run_string(one, "kept = bytes(100_000_000)")
        print(json.dumps(memwhy.get_traced_memory()[0] - before >= 100_000_000), flush=True)
        os._exit(0)
    """) is True


def test_a_sub_interpreter_does_not_begin_again_what_the_program_stopped():
    assert told("1", """
        import json, os
        import memwhy
        memwhy.stop()
        try:
            import _interpreters as interpreters
            one = interpreters.create("legacy")
        except ImportError:
            import _xxsubinterpreters as interpreters
            one = interpreters.create(isolated=False)
        print(json.dumps(memwhy.is_tracing()), flush=True)
        os._exit(0)
    """) is False


def test_imports_of_the_program_are_seen():
    frames = told("1", """
        import fractions
        import json, memwhy
        traceback = memwhy.get_object_traceback(fractions.Fraction.__init_subclass__.__self__)
        print(json.dumps([[frame.filename, frame.lineno] for frame in traceback]))
    """)
    # From the program's line through the import to the line that made the class.
    assert frames[0] == ["<string>", 2]
    assert any(name.endswith("fractions.py") for name, _ in frames)


@pytest.mark.parametrize("settings, expected", [
    ("only=<string>", ["<string>"]),
    ("exclude=<string>", ["elsewhere.py"]),
    ("only=<string>,only=else*", ["<string>", "elsewhere.py"]),
    ("only=*,exclude=*.py,nframe=5", ["<string>"]),
    ("under=elsewhere.py", ["elsewhere.py", "through"]),
])
def test_patterns_filter(settings, expected):
    found = told(settings, """
        import json, memwhy
        namespace = {}
        exec(compile("def make(): return bytes(1000)\\ndef call(f): return f()", "elsewhere.py",
                     "exec"), namespace)
        here = bytes(1000)
        known = {"<string>": here, "elsewhere.py": namespace["make"](),
                 "through": namespace["call"](lambda: bytes(1000))}
        found = {name: memwhy.get_object_traceback(block) for name, block in known.items()}
        found = [name for name, traceback in found.items() if traceback is not None]
        print(json.dumps(found))
    """)
    assert [name for name in found if name != "through" or "under" in settings] == expected


@pytest.mark.parametrize("settings", [
    "yes", "2", "25", "nframe=0", "nframe=65536", "nframe=-1", "nframe=1.5", "nframe=", "nframe",
    "nframe=1,nframe=2", "nframe=1,,", ",", "frames=3", "sample=x", "sample=0", "max_overhead=-1",
    "1,nframe=3", "nframe=99999999999", "only", "only=", "=1", "\udcff", "nframe=٣",
])
def test_a_bad_value_is_one_sentence_and_the_program_runs_untraced(settings):
    done = python("-c", "import memwhy; print(memwhy.is_tracing())",
                  env={**environment(), "MEMWHY": settings})
    assert (done.returncode, done.stdout) == (0, "False\n")
    assert done.stderr.startswith("memwhy: MEMWHY is not followed, and nothing traced: ")
    assert done.stderr.count("\n") == 1 and done.stderr.endswith(".\n")


def test_a_bad_value_does_no_harm_where_stderr_is_closed():
    done = subprocess.run([sys.executable, "-c", "print('ran')"], stdout=subprocess.PIPE,
                          env=environment(MEMWHY="yes"), preexec_fn=lambda: os.close(2))
    assert (done.returncode, done.stdout) == (0, b"ran\n")


# ── where it holds ───────────────────────────────────────────────────────────────────


def test_nothing_is_loaded_without_the_variable():
    source = "import sys; print([n for n in sys.modules if n.startswith('memwhy')])"
    assert run(source) == "[]\n"
    assert run(source, env=environment(MEMWHY="")) == "[]\n"


@pytest.mark.parametrize("option", ["-I", "-E", "-S"])
def test_what_ignores_the_environment_or_site_ignores_this(option):
    done = python(option, "-c", "import sys; print('memwhy' in sys.modules)",
                  env=environment(MEMWHY="1"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "False\n", "")


def test_programs_that_the_program_starts_are_traced_too():
    nested = "import memwhy, json; print(json.dumps(memwhy.get_traceback_limit()))"
    assert told("nframe=9", f"""
        import subprocess, sys
        subprocess.run([sys.executable, "-c", {nested!r}], check=True)
    """) == 9


def test_a_forked_child_goes_on():
    assert told("1", """
        import memwhy, os
        child = os.fork()
        if child == 0:
            kept = bytes(1000)
            print("true" if memwhy.get_object_traceback(kept) else "false", flush=True)
            os._exit(0)
        os.waitpid(child, 0)
    """) is True


def test_nothing_is_printed_and_start_changes_nothing():
    assert told("nframe=4", """
        import memwhy
        memwhy.start(9)
        print(memwhy.get_traceback_limit())
    """) == 4


def test_it_is_there_for_the_drop_in_too():
    assert told("nframe=4", """
        import memwhy.tracemalloc as tracemalloc
        print(tracemalloc.get_traceback_limit() if tracemalloc.is_tracing() else 0)
    """) == 4


@needs_command
def test_memwhy_run_has_the_last_word_for_its_program_but_not_for_others():
    nested = "import memwhy; print(memwhy.get_traceback_limit())"
    source = (f"import memwhy, subprocess, sys\n{nested}\nsys.stdout.flush()\n"
              f"subprocess.run([sys.executable, '-c', {nested!r}])\n")
    done = subprocess.run([MEMWHY, "run", "--nframe", "7", "-c", source], capture_output=True,
                          text=True, env=environment(MEMWHY="nframe=3"), timeout=60)
    assert (done.returncode, done.stdout) == (0, "7\n3\n")
    assert "still alive" in done.stderr
