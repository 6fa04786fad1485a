# SPDX-License-Identifier: MIT
"""Sampled estimates against the truth, run after run.

    python sampling_truth.py --runs 1000

Each run samples a program whose every block is known, and compares what statistics() and
compare_to() say of its lines, and of all of them together, with the truth: bytes and
blocks.  Over all runs, the mean of an estimate must be right (within 1 %, or within four
standard errors of the mean where that is more), and the stated 95 % interval must cover the
truth in 93 % of the runs at least, counting those alone in which the line was listed.

--seed says with which numbers to begin, so that a run can be repeated; without it every run
draws new ones from the system.  The exit status is 1 if anything is wrong.
"""
import argparse
import math
import sys
from collections import defaultdict

import memwhy
from memwhy import _memwhy

MINIMUM_COVERAGE = 0.93
MEAN_TOLERANCE = 0.01
HEADER = sys.getsizeof(b"")
MIXED = (50, 60, 90, 130, 400, 700, 2000, 9000, 30000)


# Each of these makes blocks on one line that makes no others, and returns what is alive of
# them, which the caller holds, and their sizes.


def many_small(kept):
    for i in range(8000):
        kept[i] = bytes(67)
    return [HEADER + 67] * 8000


def some_small(kept):
    for i in range(600):
        kept[i] = bytes(100)
    return [HEADER + 100] * 600


def few_small(kept):
    for i in range(60):
        kept[i] = bytes(67)
    return [HEADER + 67] * 60


def hardly_any(kept):
    for i in range(10):
        kept[i] = bytes(30)
    return [HEADER + 30] * 10


def middling(kept):
    for i in range(200):
        kept[i] = bytes(2000)
    return [HEADER + 2000] * 200


def large(kept):
    for i in range(100):
        kept[i] = bytes(10000)
    return [HEADER + 10000] * 100


def huge(kept):
    for i in range(3):
        kept[i] = bytes(200000)
    return [HEADER + 200000] * 3


def mixed(kept):
    for i in range(900):
        kept[i] = bytes(MIXED[i % len(MIXED)])
    return [HEADER + MIXED[i % len(MIXED)] for i in range(900)]


def small_beside_huge(kept):
    for i in range(120):
        kept[i] = bytes(60 if i else 100000)
    return [HEADER + (60 if i else 100000) for i in range(120)]


def half_freed(kept):
    for i in range(4000):
        kept[i] = bytes(167)
    for i in range(0, 4000, 2):
        kept[i] = None
    return [HEADER + 167] * 2000


def grown(kept):
    arrays = [bytearray() for _ in range(60)]
    for step in range(1, 30):
        for array in arrays:
            array.extend(PIECE)
    kept[0] = arrays
    return [array.__alloc__() for array in arrays]


PIECE = bytes(100)
POPULATIONS = (many_small, some_small, few_small, hardly_any, middling, large, huge, mixed,
               small_beside_huge, half_freed, grown)


def line_of_blocks(function):
    """The line on which a population's blocks are made: its third."""
    first = function.__code__.co_firstlineno
    return first + (4 if function is grown else 2)


class Quantity:
    """One number, estimated again and again."""

    def __init__(self):
        self.sum = self.squares = self.truth = 0
        self.runs = self.listed = self.covered = 0
        self.width = 0

    def add(self, truth, estimate, interval):
        self.runs += 1
        self.truth = truth
        self.sum += estimate
        self.squares += estimate * estimate
        if interval is not None:
            self.listed += 1
            self.covered += interval[0] <= truth <= interval[1]
            self.width += interval[1] - interval[0]

    def bias(self):
        return self.sum / self.runs / self.truth - 1 if self.truth else self.sum / self.runs

    def standard_error(self):
        variance = self.squares / self.runs - (self.sum / self.runs) ** 2
        return math.sqrt(max(variance, 0) / self.runs) / (abs(self.truth) or 1)

    def coverage(self):
        return self.covered / self.listed if self.listed else 1.0

    def is_right(self):
        # Few listed runs say little of their coverage: 93 % or what chance allows.
        slack = 3 * math.sqrt(0.05 * 0.95 / self.listed) if self.listed < 300 else 0
        mean = abs(self.bias()) <= max(MEAN_TOLERANCE, 4 * self.standard_error())
        return mean and self.coverage() >= min(MINIMUM_COVERAGE, 0.95 - slack)


def own_lines(snapshot):
    """{line: Statistic} of this file."""
    own = snapshot.filter_traces([memwhy.Filter(True, __file__)])
    return own, {one.traceback[0].lineno: one for one in own.statistics("lineno")}


def measure(quantities, name, truth, statistic):
    size, count = sum(truth), len(truth)
    quantities[name, "bytes"].add(size, statistic.size if statistic else 0,
                                  statistic.size_interval if statistic else None)
    quantities[name, "blocks"].add(count, statistic.count if statistic else 0,
                                   statistic.count_interval if statistic else None)


def measure_change(quantities, before, after, truth_by_line):
    """Everything went away: so the changes are known too."""
    changes = {one.traceback[0].lineno: one for one in after.compare_to(before, "lineno")}
    for line, (name, truth) in truth_by_line.items():
        change = changes.get(line)
        quantities[name, "change"].add(-sum(truth), change.size_diff if change else 0,
                                       change.size_diff_interval if change else None)


def one_run(quantities, sample, seed):
    holders = [[None] * 8000 for _ in POPULATIONS]
    _memwhy._start_sampling(sample, 1, seed)
    truths = [make(kept) for make, kept in zip(POPULATIONS, holders)]
    before = memwhy.take_snapshot(sampled=True)
    del holders[:]
    after = memwhy.take_snapshot(sampled=True)
    memwhy.stop()

    own, lines = own_lines(before)
    known = [line_of_blocks(make) for make in POPULATIONS]
    for make, line, truth in zip(POPULATIONS, known, truths):
        measure(quantities, make.__name__, truth, lines.get(line))
    only = own.filter_traces([memwhy.Filter(True, __file__, line) for line in known])
    measure(quantities, "in total", sum(truths, []), only.statistics("filename")[0])
    by_line = {line: (make.__name__, truth)
               for make, line, truth in zip(POPULATIONS, known, truths)}
    measure_change(quantities, only, own_lines(after)[0], by_line)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--sample", type=int, default=4096, metavar="BYTES")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    quantities = defaultdict(Quantity)
    for run in range(options.runs):
        one_run(quantities, options.sample, options.seed and options.seed + run)
    print(f"{'':18} {'':7} {'truth':>9} {'mean is off by':>15} {'interval covers':>16} "
          f"{'in runs':>8} {'mean width':>10}")
    wrong = 0
    for (name, unit), quantity in quantities.items():
        is_right = quantity.is_right()
        wrong += not is_right
        error = 1.96 * quantity.standard_error()
        print(f"{name:18} {unit:7} {quantity.truth:9} {quantity.bias():+8.2%} ±{error:5.2%} "
              f"{quantity.coverage():16.1%} {quantity.listed:8} "
              f"{quantity.width / max(quantity.listed, 1):10.0f}{'' if is_right else '  WRONG'}")
    print(f"{options.runs} runs, a sample per {options.sample} bytes: {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
