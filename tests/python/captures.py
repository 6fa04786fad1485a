# SPDX-License-Identifier: MIT
"""What tests of captures share: the second reader and writer, and the command."""
import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "reference"))

import read_capture as reference    # noqa: E402
from write_capture import Writer    # noqa: E402, F401

CORPUS = Path(__file__).parents[1] / "fuzz" / "corpus" / "capture"


def memwhy(*arguments, **options):
    command = shutil.which("memwhy", path=sysconfig.get_path("scripts")) or shutil.which("memwhy")
    if command is None:
        pytest.skip("the command memwhy is not installed")
    return subprocess.run([command, *map(str, arguments)], capture_output=True, text=True,
                          timeout=60, **options)


def read(data):
    """A capture's bytes as the second reader reads them."""
    try:
        return reference.read_capture(data)
    except reference.NoZstd as error:
        pytest.skip(str(error))


class Dump:
    """What `memwhy dump` says, by type; counters as the second reader has them."""

    def __init__(self, path):
        done = memwhy("dump", path)
        assert done.returncode == 0, done.stderr
        self.lines = {}
        for line in done.stdout.splitlines():
            row = json.loads(line)
            self.lines.setdefault(row.pop("type"), []).append(row)
        self.program = self.lines["program"][0]
        frames = {row["frame"]: reference.Frame(row["file"], row["line"], row["function"],
                                                row["module"], row["first_line"])
                  for row in self.lines.get("frame", [])}
        starts = [row["start_ns"] for row in self.lines["epoch"]]
        self.sites = {row["site"]: reference.Site(tuple(frames[n] for n in row["frames"]),
                                                  row["total_frames"], row["domain"],
                                                  row["thread"], starts[row["epoch"]])
                      for row in self.lines.get("site", [])}
        assert len(set(self.sites.values())) == len(self.sites)
        self.source = {(row["file"], row["line"]): row.get("source")
                       for row in self.lines.get("frame", [])}

    def counts(self, rows):
        return {self.sites[site]: reference.Counts(blocks, size, total_blocks, total_size)
                for site, size, blocks, total_size, total_blocks in rows}

    def snapshots(self):
        state = {}
        for row in self.lines.get("snapshot", []):
            state.update(self.counts(row["changed"]))
            yield {site: counts for site, counts in state.items()
                   if counts != reference.Counts()}


def point_of(row):
    return reference.Point(row["time_ns"], row["rss_bytes"], row["live_bytes"],
                           row["peak_bytes"], row["overhead_bytes"], row["lost_blocks"])


def assert_agree(path, capture):
    """Whether memwhy reads the file at [path] as the second reader has read it."""
    dump = Dump(path)
    ours = {key: dump.program[key] for key in capture.program}
    ours["frame_limit"] = capture.program["frame_limit"]
    assert ours == capture.program
    assert dump.program["truncated"] == capture.truncated
    assert dump.program.get("exit_status") == capture.exit_status
    assert dump.lines.get("child", []) == capture.children
    assert dump.lines.get("input", []) == capture.inputs
    assert ([(point_of(row), row.get("snapshot")) for row in dump.lines.get("point", [])]
            == capture.points)
    assert [row["start_ns"] for row in dump.lines["epoch"]] == capture.epoch_starts
    assert list(dump.snapshots()) == capture.snapshots
    names = {row["thread"]: row["thread_name"] for row in dump.lines.get("site", [])}
    for thread, name in names.items():
        assert name == capture.thread_names.get(thread, "")
    for (file, line), text in dump.source.items():
        known = capture.lines.get((file, line))
        assert text == (known and known.decode("utf-8", "replace"))
    if capture.peak is None:
        assert "peak" not in dump.lines
    else:
        row = dump.lines["peak"][0]
        assert (point_of(row), dump.counts(row["sites"])) == capture.peak[:2]
    assert_heaps_agree(dump, capture)


ROOT_KINDS = {1: "module", 2: "frame", 3: "interpreter"}


def assert_heaps_agree(dump, capture):
    assert len(dump.lines.get("heap", [])) == len(capture.heaps)
    for number, heap in enumerate(capture.heaps):
        facts = dump.lines["heap"][number]
        assert [facts["time_ns"], facts["objects"] + facts["frames"], facts["references"],
                facts["tracked"], facts["pause_ns"], facts["walk_ns"]] == heap.numbers[:6]
        objects = [row for row in dump.lines["object"] if row["heap"] == number]
        assert [row["node"] for row in objects] == list(range(1, len(heap.nodes)))
        for row, node in zip(objects, heap.nodes[1:]):
            assert_node_agrees(row, node, heap)
        roots = [row for row in dump.lines.get("root", []) if row["heap"] == number]
        written = roots[:len(heap.roots)]
        assert ([(row["node"], row["kind"], row["name"], row.get("thread", 0)) for row in written]
                == [(node, ROOT_KINDS[kind], heap.name(name),
                     heap.threads[thread][0] if thread else 0)
                    for node, kind, name, thread in heap.roots])
        left = heap.unexplained()
        held = [node for node in range(1, len(heap.nodes)) if heap.nodes[node].form.type != 0
                and (left[node] is None or left[node] > 0)]
        assert [row["node"] for row in roots[len(heap.roots):]] == held


def assert_node_agrees(row, node, heap):
    number = row["node"]
    assert row["id"] == (node.address if node.form.type else 0)
    assert row["class"] == heap.types[node.form.type][0]
    assert row["text"] == heap.text(number)
    assert row["size"] == node.size
    assert row["references"] == (node.references or 0)
    assert (row.get("file"), row.get("line"), row.get("function")) == (node.line or (None,) * 3)
    assert row["refers_to"] == [[heap.edge(number, place), edge]
                                for place, edge in enumerate(node.edges)]
