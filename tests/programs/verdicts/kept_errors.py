# SPDX-License-Identifier: MIT
"""Errors are kept with their tracebacks, and with them the frames and what those hold."""
from rounds import rounds

errors = []


def check(number):
    body = bytearray(3000)  # verdict: leak
    if number % 4 == 0:
        raise ValueError(f"bad order {number}")  # verdict: leak
    return body


for turn in rounds():
    for number in range(20):
        try:
            check(number)  # verdict: leak
        except ValueError as error:
            errors.append(error)
