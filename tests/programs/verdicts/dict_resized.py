# SPDX-License-Identifier: MIT
"""A dict that is never cleared: its table doubles now and then, its keys stay."""
from rounds import rounds

seen = {}

for turn in rounds():
    for number in range(turn * 100, turn * 100 + 100):
        seen[number * 1000] = None  # verdict: leak
