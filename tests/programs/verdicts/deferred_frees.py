# SPDX-License-Identifier: MIT
"""Garbage in cycles, which the collector finds late: frees are deferred."""
import gc

from rounds import rounds


class Node:
    def __init__(self):
        self.me = self
        self.payload = "x" * 100 + str(id(self))  # verdict: steady


gc.collect()
gc.set_threshold(4000, 3, 3)

for turn in rounds():
    for number in range(700):
        Node()  # verdict: steady
