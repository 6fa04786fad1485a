# SPDX-License-Identifier: MIT
"""A queue that fills for six rounds, and is drained in the seventh."""
import collections

from rounds import rounds

queue = collections.deque()

for turn in rounds():
    for number in range(100):
        queue.append({"job": number, "text": f"job {number}"})  # verdict: steady
    if turn % 7 == 6:
        while queue:
            queue.popleft()
