# SPDX-License-Identifier: MIT
"""Under `memwhy run` a program is as under plain Python: most tests run it twice, plainly
and traced, and compare everything that the outside can see.
"""
import pickle
import signal
import subprocess
import zipfile

import pytest

from cli_run import (
    MEMWHY,
    PYTHON,
    memwhy,
    needs_command,
    plain,
    plain_environment,  # noqa: F401
    run_both,
    script,  # noqa: F401
    split,
)

pytestmark = needs_command


# ── as under plain Python ─────────────────────────────────────────────────────────────

@pytest.mark.parametrize("ending", [
    "pass",
    "sys.exit()",
    "sys.exit(0)",
    "sys.exit(7)",
    "sys.exit(256 + 3)",
    "sys.exit('a farewell')",
    "sys.exit([1, 2])",
    "raise SystemExit(4)",
    "1 / 0",
    "raise KeyboardInterrupt",
    "raise ValueError('two\\nlines')",
    "os._exit(0)",
    "os._exit(9)",
    "sys.stdout.write('no newline'); sys.stdout.flush(); os._exit(3)",
    "sys.stdout.close()",
    "import atexit; atexit.register(lambda: print('bye'))",
    "import atexit; atexit.register(lambda: os._exit(6))",
    "import atexit; atexit.register(lambda: 1 / 0)",
    "import threading; threading.Thread(target=lambda: print('later')).start()",
    "import threading; threading.Thread(target=sys.exit).start(); sys.exit(5)",
    "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    "import threading; threading.Thread(target=lambda: os._exit(8)).start(); __import__('time').sleep(60)",
    "def",
])
def test_ending_is_the_programs_own(script, ending):
    result = run_both(script(f"import os, sys\nprint('started')\n{ending}\n"))
    assert "still alive" in result.summary or ending == "def"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGABRT])
def test_death_by_a_signal_is_the_programs_own(script, number):
    path = script(f"""
        import os
        os.kill(os.getpid(), {int(number)})
        import time
        time.sleep(60)
    """)
    assert plain(path).returncode == memwhy("run", path).returncode == -number


def test_a_signal_from_outside_reaches_the_program(script):
    path = script("""
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(33))
        print("ready", flush=True)
        time.sleep(60)
    """)
    process = subprocess.Popen([MEMWHY, "run", path], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 33
    assert "still alive" in stderr


def test_ctrl_c_ends_with_a_summary(script):
    path = script("""
        import time
        print("ready", flush=True)
        time.sleep(60)
    """)
    process = subprocess.Popen([MEMWHY, "run", path], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    program, summary = split(stderr)
    assert program.endswith("KeyboardInterrupt\n")
    assert "still alive" in summary


def test_signal_handlers_are_pythons_own(script):
    run_both(script("""
        import signal
        for number in sorted(signal.valid_signals()):
            print(number, signal.getsignal(number))
    """))


def test_stdin_is_the_programs_own(script):
    result = run_both(script("import sys\nprint(sys.stdin.read()[::-1])\n"), input="abc\ndéf\n")
    assert result.stdout.strip() == "féd\ncba"


def test_program_may_come_from_stdin():
    run_both("-", "a", "b", input="import sys\nprint(sys.argv, __name__)\n")


@pytest.mark.parametrize("arguments", [
    [], ["one", "two words"], ["--top", "0"], ["--help"], ["-m", "x"], ["--"], ["--json=x", "-"],
    ["", "é", "\udcff"],
])
def test_argv_is_the_programs_own(script, arguments):
    path = script("import sys\nprint(ascii(sys.argv), ascii(sys.path[0]), sys.flags)\n")
    run_both(path, *arguments)
    run_both("-c", path.read_text(), *arguments)


def test_main_is_plain_main(script):
    run_both(script("""
        import pickle, sys

        class Thing:
            value = 5

        print(pickle.loads(pickle.dumps(Thing())).value, Thing.__module__, __name__)
        print(__file__, __spec__, __package__, __builtins__, type(__loader__))
        print(sorted(globals()), sys.modules["__main__"].Thing is Thing)
        print(sys.executable, sys.prefix, sys.path)
    """))


def test_pickle_reads_outside_what_main_wrote(script):
    path = script("""
        import pickle, sys

        class Thing:
            pass

        sys.stdout.buffer.write(pickle.dumps(Thing, protocol=0))
    """)
    result = run_both(path)
    assert pickle.dumps(str, protocol=0) != result.stdout
    assert "__main__" in result.stdout


def test_module_runs_as_with_dash_m(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text("import sys\nprint(sys.argv, __name__, __package__)\n")
    (package / "part.py").write_text("import sys\nprint(sys.argv, __spec__)\nsys.exit(3)\n")
    run_both("-m", "package", "a", cwd=tmp_path)
    run_both("-mpackage", "a", cwd=tmp_path)
    run_both("-m", "package.part", "-x", cwd=tmp_path)


def test_missing_module_is_pythons_own_complaint(tmp_path):
    result = run_both("-m", "no_such_module_here", cwd=tmp_path)
    assert result.returncode == 1


def test_directory_and_zip_with_main_run(tmp_path):
    (tmp_path / "program").mkdir()
    (tmp_path / "program" / "__main__.py").write_text("import sys\nprint(sys.argv, sys.path[0])\n")
    run_both("program", "a", cwd=tmp_path)
    with open(tmp_path / "program.pyz", "wb") as file:
        file.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(file, "w") as archive:
            archive.write(tmp_path / "program" / "__main__.py", "__main__.py")
    run_both("program.pyz", "a", cwd=tmp_path)


def test_compiled_program_runs(script, tmp_path):
    import py_compile
    compiled = py_compile.compile(str(script("print('compiled')\n")), cfile=str(tmp_path / "p.pyc"))
    run_both(compiled)


def test_script_with_a_dash_runs_after_two_dashes(tmp_path):
    (tmp_path / "-odd.py").write_text("import sys\nprint(sys.argv)\n")
    run_both("--", "-odd.py", "x", cwd=tmp_path)


def test_environment_shows_nothing_of_ours(script):
    run_both(script("""
        import os, subprocess, sys
        print(sorted(os.environ.items()))
        print(subprocess.run([sys.executable, "-c", "import os; print(sorted(os.environ))"],
                             capture_output=True, text=True))
    """))


def test_open_files_are_the_programs_own(script):
    run_both(script("import os\nprint(sorted(os.listdir('/proc/self/fd')))\n"))


def test_full_output_is_reported_as_by_python(script):
    path = script("print('x' * 100)\n")
    with open("/dev/full", "w") as full:
        options = {"stdout": full, "stderr": subprocess.PIPE, "text": True, "timeout": 60}
        expected = subprocess.run([PYTHON, path], **options)
        found = subprocess.run([MEMWHY, "run", path], **options)
    assert found.returncode == expected.returncode == 120
    for line in expected.stderr.splitlines():
        assert line in found.stderr


@pytest.mark.parametrize("closing", ["0", "1", "2", "0, 1, 2"])
def test_closed_descriptors_do_no_harm(script, closing):
    path = script(f"""
        import os, sys
        for number in ({closing},):
            os.close(number)
        sys.exit(3)
    """)
    assert memwhy("run", path).returncode == plain(path).returncode


def test_a_file_that_took_the_number_of_stderr_is_left_alone(script, tmp_path):
    path = script("""
        import os
        os.close(2)
        assert os.open("data", os.O_WRONLY | os.O_CREAT) == 2
    """)
    assert memwhy("run", path, cwd=tmp_path).returncode == 0
    assert (tmp_path / "data").read_bytes() == b""


def test_nobody_listening_to_stderr_does_no_harm(script):
    path = script("import sys\nsys.stdin.read()\nsys.exit(3)\n")
    process = subprocess.Popen([MEMWHY, "run", path], stdin=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    process.stderr.close()
    process.stdin.close()
    assert process.wait(timeout=60) == 3


def test_output_and_summary_keep_their_order_in_one_file(script, tmp_path):
    with open(tmp_path / "log", "w+") as log:
        subprocess.run([MEMWHY, "run", script("print('last words')\n")], stdout=log, stderr=log,
                       timeout=60)
        log.seek(0)
        assert log.read().startswith("last words\nmemwhy: ")


# ── children ──────────────────────────────────────────────────────────────────────────

@pytest.mark.parametrize("ending", ["os._exit(0)", "sys.exit(0)", "raise SystemExit", "pass"])
def test_forked_children_are_silent(script, ending):
    result = run_both(script(f"""
        import os, sys
        child = os.fork()
        if child == 0:
            print("child", flush=True)
            {ending}
        else:
            print(os.waitpid(child, 0)[1])
    """))
    assert result.stderr.count("still alive") == 1


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_works_and_children_are_silent(script, method):
    result = run_both(script(f"""
        import multiprocessing

        def square(number):
            return number * number

        if __name__ == "__main__":
            with multiprocessing.get_context("{method}").Pool(2) as pool:
                print(pool.map(square, range(10)))
    """))
    assert result.stderr.count("still alive") == 1


def test_started_programs_are_not_traced(script):
    result = run_both(script("""
        import subprocess, sys
        print(subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True))
    """))
    assert result.stderr.count("still alive") == 1
