# SPDX-License-Identifier: MIT
"""Sessions expire after eight rounds, and half of them earlier."""
from rounds import rounds

sessions = {}

for turn in rounds():
    for number in range(60):
        sessions[turn, number] = {"user": f"user {number}", "since": turn}  # verdict: steady | levels off
    for key in [key for key in sessions if key[0] <= turn - (8 if key[1] % 2 else 4)]:
        del sessions[key]
