# SPDX-License-Identifier: MIT
"""A bounded lru_cache, asked for ever new keys: full after nine rounds."""
import functools

from rounds import rounds


@functools.lru_cache(maxsize=500)
def page(number):
    return f"page {number}: " + "x" * 200  # verdict: steady | levels off


for turn in rounds():
    for number in range(turn * 60, turn * 60 + 60):
        page(number)  # verdict: steady | levels off
