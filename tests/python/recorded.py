# SPDX-License-Identifier: MIT
"""What tests of captures share: reading one, and adding up what is in it."""
from collections import defaultdict

from memwhy import _memwhy


def read(path, only_last=False):
    """All that is in a capture, as dicts and lists; see _memwhy._read_capture."""
    return _memwhy._read_capture(path, only_last)


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
