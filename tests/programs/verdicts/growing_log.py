# SPDX-License-Identifier: MIT
"""A log that is kept in memory."""
from rounds import rounds

log = []


def write(text):
    log.append(f"{len(log)}: {text}")  # verdict: leak


for turn in rounds():
    for number in range(40):
        write("something happened")
