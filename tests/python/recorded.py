# SPDX-License-Identifier: MIT
"""What tests of recorded processes share: reading a capture, and adding up what is in it."""
import json
from collections import defaultdict

from captures import memwhy


def read(path, only_last=False):
    """All that is in a capture, as `memwhy dump` tells it: a dict in which each snapshot is a list
    of sites in which something is or was alive.  With only_last, others than the last are None."""
    done = memwhy("dump", path)
    assert done.returncode == 0, done.stderr
    rows = defaultdict(list)
    for line in done.stdout.splitlines():
        row = json.loads(line)
        rows[row.pop("type")].append(row)
    reader = _Sites(rows)
    snapshots = [reader.after(row["changed"], only_last and number + 1 < len(rows["snapshot"]))
                 for number, row in enumerate(rows["snapshot"])]
    program = rows["program"][0]
    return {
        "program": program,
        "points": rows["point"],
        "children": [(row["time_ns"], row["pid"], row["capture"]) for row in rows["child"]],
        "epochs": [row["start_ns"] for row in rows["epoch"]],
        "exit_status": program.get("exit_status"),
        "is_truncated": program["truncated"],
        "snapshots": snapshots,
        "peak": [(row, _Sites(rows).after(row["sites"])) for row in rows["peak"]][0]
        if rows["peak"] else None,
    }


class _Sites:
    """Sites by number, and what is in them at one snapshot after the other."""

    def __init__(self, rows):
        frames = {row["frame"]: (row["file"], row["line"], row["function"], row.get("source"))
                  for row in rows["frame"]}
        self.sites = {row["site"]: {"frames": [frames[number] for number in row["frames"]],
                                    "domain": row["domain"], "thread": row["thread_name"],
                                    "epoch": row["epoch"]}
                      for row in rows["site"]}
        self.counts = {}

    def after(self, changed, is_skipped=False):
        for site, *counts in changed:
            self.counts[site] = counts
        if is_skipped:
            return None
        return [dict(self.sites[site], bytes=size, blocks=blocks, total_bytes=total_size,
                     total_blocks=total_blocks)
                for site, (size, blocks, total_size, total_blocks) in self.counts.items()
                if blocks or total_blocks]


def by_traceback(sites):
    """(file, line) of each frame, most recent first → [bytes, blocks], over all epochs."""
    sums = defaultdict(lambda: [0, 0])
    for site in sites:
        if site["blocks"]:
            key = tuple((file, line) for file, line, _, _ in site["frames"])
            sums[key][0] += site["bytes"]
            sums[key][1] += site["blocks"]
    return dict(sums)


def of_function(sites, function, what="bytes"):
    """What was allocated by the function itself, by epoch."""
    sums = defaultdict(int)
    for site in sites:
        if site["frames"][0][2] == function and site[what]:
            sums[site["epoch"]] += site[what]
    return dict(sums)


def live(sites):
    return sum(site["bytes"] for site in sites)
