# SPDX-License-Identifier: MIT
"""What `memwhy run` says at the end, as text and as JSON."""
import json
import os
import pty
import subprocess
import time
from pathlib import Path

import pytest

from cli_run import (
    MEMWHY,
    memwhy,
    needs_command,
    plain_environment,  # noqa: F401
    run_both,
    script,  # noqa: F401
)

pytestmark = needs_command


# ── the summary ───────────────────────────────────────────────────────────────────────

LEAKY = """
    import json

    KEPT = []

    def keep():
        for number in range(2000):
            KEPT.append(bytes(1000))

    def decode():
        text = json.dumps([str(number) * 20 for number in range(5000)])
        KEPT.append(json.loads(text))

    keep()
    decode()
"""


def test_summary_names_the_lines(script, tmp_path):
    result = run_both(script(LEAKY), cwd=tmp_path)
    verdict, numbers, table, cost = result.summary.split("\n\n")
    verdict = " ".join(verdict.split())
    assert "program.py:8 in keep (" in verdict and "2,00" in verdict
    assert "program.py:12 in decode (" in verdict and "allocated in json/decoder.py" in verdict
    assert numbers.startswith("Alive at the end: ") and "at the peak: " in numbers
    assert "KEPT.append(bytes(1000))" in table
    assert "called from program.py:12 in decode" in table
    assert cost.startswith("memwhy itself took ")
    assert all(len(line) <= 80 for line in result.summary.splitlines())
    assert "\033" not in result.summary


def test_paths_in_the_summary_survive_chdir(script, tmp_path):
    path = script("import os\nos.chdir('/')\nKEPT = bytes(10_000_000)\n")
    result = run_both(path.name, cwd=tmp_path)
    assert "program.py:3 in <module>" in " ".join(result.summary.split())
    assert "KEPT = bytes(10_000_000)" in result.summary


@pytest.mark.parametrize("key, expected", [
    ("line", "program.py:8 in keep\n"),
    ("file", "  program.py\n"),
    ("function", "program.py in keep\n"),
    ("traceback", '  File "program.py", line 8, in keep\n    KEPT.append(bytes(1000))\n'),
])
def test_summary_by(script, tmp_path, key, expected):
    assert expected in memwhy("run", "--by", key, script(LEAKY), cwd=tmp_path).stderr
    assert expected in memwhy("run", f"--by={key}", script(LEAKY), cwd=tmp_path).stderr


def test_summary_by_region(script, tmp_path):
    program = script("""
        import memwhy

        def load():
            with memwhy.region("import of orders"):
                return bytes(1_000_000)

        KEPT = load()
    """)
    json_file = tmp_path / "out.json"
    by_region = memwhy("run", "--by", "region", "--json", json_file, program, cwd=tmp_path)
    table = by_region.stderr.split("\n\n")[2].splitlines()
    assert [line[30:] for line in table] == ["region", "import of orders", "<no region>"]
    rows = json.loads(json_file.read_text())["rows"]
    assert [row["region"] for row in rows] == ["import of orders", None]
    traceback = memwhy("run", "--by", "traceback", program, cwd=tmp_path).stderr
    assert ('line 8, in <module>\n    KEPT = load()\n  <region> import of orders\n'
            '  File "program.py", line 6, in load\n') in traceback


def test_top_limits_the_table(script, tmp_path):
    result = memwhy("run", "--top", "1", script(LEAKY), cwd=tmp_path)
    table = result.stderr.split("\n\n")[2].splitlines()
    assert [line[30:] for line in table[:3]] == ["line", "program.py:8 in keep",
                                                 "KEPT.append(bytes(1000))"]
    assert "other lines" in table[3] and len(table) == 4


def test_nframe_cuts_tracebacks(script, tmp_path):
    path = tmp_path / "out.json"
    memwhy("run", "--nframe", "2", "--by", "traceback", "--json", path, script(LEAKY))
    report = json.loads(path.read_text())
    assert report["frame_limit"] == 2
    assert max(len(row["traceback"]) for row in report["rows"]) == 2


def test_modules_lines_are_the_programs(tmp_path):
    package = tmp_path / "site-packages" / "tool"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text("KEPT = bytes(10_000_000)\n")
    result = memwhy("run", "-m", "tool", cwd=package.parent)
    assert "from one line: tool/__main__.py:1" in " ".join(result.stderr.split())


def test_code_lines_are_the_programs():
    result = memwhy("run", "-c", "KEPT = bytes(10_000_000)")
    assert "from one line: <string>:1" in " ".join(result.stderr.split())


def test_program_that_stops_the_tracing_is_told_so():
    result = memwhy("run", "-c", "import memwhy; memwhy.stop()")
    assert result.returncode == 0
    assert result.stderr == ("memwhy: the program stopped the tracing itself, so there is no "
                             "summary.\n")


def test_terminal_gets_bold_unless_no_color(script):
    def on_terminal(**environment):
        master, slave = pty.openpty()
        process = subprocess.Popen([MEMWHY, "run", script("pass\n")], stderr=slave,
                                   env={**os.environ, "TERM": "xterm", **environment})
        process.wait(timeout=60)
        os.close(slave)
        time.sleep(0.1)
        text = os.read(master, 100_000)
        os.close(master)
        return text

    assert b"\033[1mmemwhy: " in on_terminal(NO_COLOR="")
    assert b"\033" not in on_terminal(NO_COLOR="1")
    assert b"\033" not in on_terminal(TERM="dumb")


# ── --json ────────────────────────────────────────────────────────────────────────────

def test_json_says_the_same(script, tmp_path):
    path = tmp_path / "out.json"
    result = memwhy("run", "--json", "out.json", "--top", "3", script(LEAKY), cwd=tmp_path)
    assert os.listdir(tmp_path).count("out.json") == 1
    report = json.loads(path.read_text())
    assert report["format"] == "memwhy-summary" and report["version"] == 1
    assert report["verdict"] in " ".join(result.stderr.split())
    first, second = report["culprits"][:2]
    assert first["at"] == {"file": str(tmp_path / "program.py"), "line": 8, "function": "keep",
                           "source": "KEPT.append(bytes(1000))"}
    assert first["blocks"] >= 2000 and first["bytes"] >= 2_000_000
    assert second["at"]["line"] == 12
    assert second["allocated_in"]["file"].endswith("json/decoder.py")
    assert len(report["rows"]) == 3 < report["row_count"]
    assert report["peak_bytes"] >= report["current_bytes"] > 2_000_000
    assert report["overhead_bytes"] > 0
    assert [row["bytes"] for row in report["rows"]] == sorted(
        (row["bytes"] for row in report["rows"]), reverse=True)
    assert {p.name for p in tmp_path.iterdir()} == {"program.py", "out.json"}


def test_json_name_may_contain_anything(script, tmp_path):
    name = "a, b=c,json=é\n.json"
    assert memwhy("run", "--json", name, script("pass\n"), cwd=tmp_path).returncode == 0
    assert json.loads((tmp_path / name).read_text())["format"] == "memwhy-summary"


def test_json_replaces_a_file_and_keeps_a_link(script, tmp_path):
    (tmp_path / "old.json").write_text("old")
    (tmp_path / "link.json").symlink_to("old.json")
    memwhy("run", "--json", tmp_path / "link.json", script("pass\n"))
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "old.json").read_text())["version"] == 1


def test_json_to_a_device_writes_there(script):
    assert memwhy("run", "--json", "/dev/null", script("pass\n")).returncode == 0
    assert Path("/dev/null").is_char_device()
    for name in ("/dev/stdout", "-"):
        result = memwhy("run", "--json", name, script("pass\n"))
        assert json.loads(result.stdout)["version"] == 1


def test_json_to_stdout_that_is_a_file_follows_the_output(script, tmp_path):
    with open(tmp_path / "log", "w") as log:
        subprocess.run([MEMWHY, "run", "--json", "/dev/stdout", script("print('words')\n")],
                       stdout=log, stderr=subprocess.DEVNULL, timeout=60, check=True)
    words, _, report = (tmp_path / "log").read_text().partition("\n")
    assert words == "words" and json.loads(report)["version"] == 1


def test_json_directory_that_vanishes_is_one_sentence(script, tmp_path):
    target = tmp_path / "gone"
    target.mkdir()
    path = script(f"import os\nos.rmdir({str(target)!r})\nraise SystemExit(5)\n")
    result = memwhy("run", "--json", target / "out.json", path)
    assert result.returncode == 5
    assert result.stderr.endswith(
        f'memwhy: cannot write "{target}/out.json": No such file or directory.\n')
