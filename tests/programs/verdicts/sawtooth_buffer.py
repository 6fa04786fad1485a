# SPDX-License-Identifier: MIT
"""A buffer that is written away when it is full."""
from rounds import rounds

buffer = []

for turn in rounds():
    for number in range(50):
        buffer.append(f"measurement {turn}.{number}")  # verdict: steady
    if len(buffer) >= 700:
        buffer.clear()
