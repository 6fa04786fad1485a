# SPDX-License-Identifier: MIT
"""What `memwhy run` refuses, in one sentence; and how the command and its Python are found."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli_run import (
    MEMWHY,
    PYTHON,
    memwhy,
    needs_command,
    plain,
    plain_environment,  # noqa: F401
    script,  # noqa: F401
)

pytestmark = needs_command


# ── bad input ─────────────────────────────────────────────────────────────────────────

def complaint(*arguments, **options):
    """The one sentence of a command that refuses to start."""
    result = memwhy(*arguments, **options)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("memwhy: ") and result.stderr.endswith("\n")
    assert result.stderr.count("\n") == 1
    return result.stderr[len("memwhy: "):-1]


@pytest.mark.parametrize("arguments, expected", [
    (["frobnicate"], 'there is no command "frobnicate"; "memwhy help" lists them.'),
    (["help", "frobnicate"], 'there is no command "frobnicate"; "memwhy help" lists them.'),
    (["--frobnicate"], 'there is no option "--frobnicate"; see "memwhy --help".'),
    (["run"], 'run wants a script, -m module or -c code; see "memwhy help run".'),
    (["run", "--"], 'run wants a script, -m module or -c code; see "memwhy help run".'),
    (["run", ""], 'run wants a script, -m module or -c code; see "memwhy help run".'),
    (["run", "-m"], '-m wants a module\'s name; see "memwhy help run".'),
    (["run", "-c"], '-c wants a program text; see "memwhy help run".'),
    (["run", "--frob", "x.py"], 'run has no option "--frob"; see "memwhy help run".'),
    (["run", "-I", "x.py"], 'run has no option "-I"; see "memwhy help run".'),
    (["run", "--top"], '--top wants a value; see "memwhy help run".'),
    (["run", "--top", "0", "x.py"], '--top takes a whole number from 1 to 100000, not "0".'),
    (["run", "--top=-1", "x.py"], '--top takes a whole number from 1 to 100000, not "-1".'),
    (["run", "--top", "x", "x.py"], '--top takes a whole number from 1 to 100000, not "x".'),
    (["run", "--top", "5x", "x.py"], '--top takes a whole number from 1 to 100000, not "5x".'),
    (["run", "--top=", "x.py"], '--top takes a whole number from 1 to 100000, not "".'),
    (["run", "--top", "9" * 30, "x.py"],
     f'--top takes a whole number from 1 to 100000, not "{"9" * 30}".'),
    (["run", "--nframe", "0", "x.py"], '--nframe takes a whole number from 1 to 65535, not "0".'),
    (["run", "--nframe", "65536", "x"],
     '--nframe takes a whole number from 1 to 65535, not "65536".'),
    (["run", "--by", "nonsense", "x.py"],
     '--by takes line, file, function, region or traceback, not "nonsense".'),
    (["run", "-o", "-", "-c", ""], "-o wants a file's name."),
    (["run", "-o", "x", "--json", "x", "-c", ""], '-o and --json cannot both be written to "x".'),
    (["run", "-o", ".//x", "--json", "x", "-c", ""], '-o and --json cannot both be written to "x".'),
    (["run", "-o", "x", "--signal", "33", "-c", ""],
     '--signal takes a signal that can be caught, such as SIGUSR2, not "33".'),
    (["run", "no_such.py"], 'cannot run "no_such.py": No such file or directory.'),
    (["run", "--python", "no-such-python", "-c", ""],
     'there is no interpreter "no-such-python" on PATH.'),
    (["run", "--python", "/no/such", "-c", ""],
     'the interpreter "/no/such" is missing or not an executable file.'),
    (["run", "--python", "/tmp", "-c", ""],
     'the interpreter "/tmp" is missing or not an executable file.'),
    (["run", "--python", "/bin/true", "-c", ""],
     '"/bin/true" cannot run memwhy: it is no Python interpreter.'),
    (["run", "--json", "", "-c", ""], 'cannot write "": No such file or directory.'),
    (["run", "--json", "/no/such/x.json", "-c", ""],
     'cannot write "/no/such/x.json": No such file or directory.'),
    (["run", "--json", "/tmp", "-c", ""], 'cannot write "/tmp": Is a directory.'),
])
def test_bad_usage_is_one_sentence(tmp_path, arguments, expected):
    assert complaint(*arguments, cwd=tmp_path) == expected
    assert list(tmp_path.iterdir()) == []


def test_no_command_shows_the_usage():
    result = memwhy()
    assert result.returncode == 2
    assert result.stderr.startswith("usage: memwhy COMMAND")


@pytest.mark.parametrize("arguments", [["help"], ["help", "run"], ["--version"], ["doctor"],
                                       ["doctor", "--json"]])
def test_a_full_disk_is_said(arguments):
    with open("/dev/full", "w") as full:
        result = subprocess.run([MEMWHY, *arguments], stdout=full, stderr=subprocess.PIPE,
                                text=True, timeout=60)
    assert (result.returncode, result.stderr) == (
        2, "memwhy: cannot write to standard output: No space left on device.\n")


def test_directory_without_main(tmp_path):
    assert complaint("run", tmp_path) == (
        f'cannot run the directory "{tmp_path}": it has no __main__.py.')


@pytest.mark.parametrize("data", [b"\x7fELF\0\0\0", b"\x89PNG\r\n\x1a\n\0\0", b"print(1)\0\n"])
def test_what_is_not_python(tmp_path, data):
    (tmp_path / "thing").write_bytes(data)
    assert complaint("run", tmp_path / "thing") == (
        f'"{tmp_path}/thing" is not a Python program: it contains NUL bytes.')


def test_the_interpreter_itself_is_no_program():
    assert "is not a Python program" in complaint("run", os.path.realpath(sys.executable))


def as_nobody():
    os.setgid(65534)
    os.setuid(65534)


@pytest.mark.skipif(os.getuid() != 0, reason="needs another user")
def test_unreadable_and_unwritable_files(tmp_path):
    # Nobody may have no way to this interpreter; what is refused is refused before it.
    command = shutil.copy(MEMWHY, tmp_path / "memwhy")
    for path in [tmp_path, *list(tmp_path.parents)[:-2]]:
        path.chmod(path.stat().st_mode | 0o055)
    secret = tmp_path / "secret.py"
    secret.write_text("print(1)\n")
    secret.chmod(0o600)
    result = subprocess.run([command, "run", secret], capture_output=True, text=True,
                            preexec_fn=as_nobody, timeout=60)
    assert (result.returncode, result.stderr) == (
        2, f'memwhy: cannot read "{secret}": Permission denied.\n')


def test_unwritable_json_starts_nothing(script, tmp_path):
    path = script("open('ran', 'w')\n")
    assert complaint("run", "--json", "/proc/x.json", path, cwd=tmp_path).startswith(
        'cannot write "/proc/x.json": ')
    assert not (tmp_path / "ran").exists()


def test_python_without_memwhy_says_how_to_install(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    python = tmp_path / "bare" / "bin" / "python"
    assert complaint("run", "--python", python, "-c", "") == (
        f'memwhy is not installed for "{python}"; install it with that Python\'s "-m pip install '
        'memwhy".')


# ── which interpreter, and the other ways in ──────────────────────────────────────────

def test_python_is_the_one_beside_the_command():
    result = memwhy("run", "-c", "import sys; print(sys.prefix)", env={"PATH": "/nowhere"})
    assert result.stdout.strip() == sys.prefix


def test_python_can_be_chosen():
    result = memwhy("run", "--python", sys.executable, "-c", "import sys; print(sys.executable)")
    assert result.stdout.strip() == sys.executable
    assert "still alive" in result.stderr


def test_command_alone_takes_python3_from_path(tmp_path):
    command = shutil.copy(MEMWHY, tmp_path / "memwhy")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    result = subprocess.run([command, "run", "-c", "import sys; print(sys.prefix)"],
                            capture_output=True, text=True, env=environment, timeout=60)
    assert result.stdout.strip() == sys.prefix
    result = subprocess.run([command, "run", "-c", ""], capture_output=True, text=True,
                            env={"PATH": "/nowhere"}, timeout=60)
    assert (result.returncode, result.stderr) == (2, "memwhy: there is no python3 beside this "
                                                     "command or on PATH; name one with --python.\n")


def test_python_dash_m_memwhy_is_the_command():
    result = plain("-m", "memwhy", "run", "-c", "import sys; print(sys.executable)")
    assert result.stdout.strip() == str(PYTHON)
    assert "still alive" in result.stderr
    assert plain("-m", "memwhy", "--version").stdout == memwhy("--version").stdout
    assert plain("-m", "memwhy", "frob").returncode == 2


def test_version_and_help():
    assert memwhy("--version").stdout.startswith("memwhy ")
    assert "  run  " in memwhy("--help").stdout == memwhy("help").stdout
    usage = memwhy("help", "run").stdout
    assert usage.startswith("usage: memwhy run [OPTIONS] SCRIPT [ARGUMENTS]\n")
    assert usage == memwhy("run", "--help").stdout == memwhy("run", "-h").stdout
    page = Path(__file__).parents[2] / "docs" / "run.md"
    for line in usage.splitlines()[:3]:
        assert line.removeprefix("usage:").strip() in page.read_text()


def test_pth_line_imports_nothing_without_the_variable():
    result = plain("-c", "import sys; print('memwhy' in sys.modules)")
    assert result.stdout == "False\n"
