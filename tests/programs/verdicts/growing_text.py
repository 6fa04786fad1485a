# SPDX-License-Identifier: MIT
"""A text that is only ever added to."""
from rounds import rounds

text = bytearray()

for turn in rounds():
    for number in range(20):
        text += b"one more line of the report\n"  # verdict: leak
