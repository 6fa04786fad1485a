# SPDX-License-Identifier: MIT
"""A table that is made when a module is imported."""
from rounds import rounds

SQUARES = {number: str(number * number) for number in range(20_000)}  # verdict: one-time

for turn in rounds():
    found = [SQUARES[number] for number in range(turn * 50, turn * 50 + 50)]
