# SPDX-License-Identifier: MIT
"""An lru_cache without a bound, asked for ever new keys."""
import functools

from rounds import rounds


@functools.lru_cache(maxsize=None)
def page(number):
    return f"page {number}: " + "x" * 200  # verdict: leak


for turn in rounds():
    for number in range(turn * 60, turn * 60 + 60):  # verdict: leak
        page(number)  # verdict: leak
