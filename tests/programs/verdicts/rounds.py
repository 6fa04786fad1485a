# SPDX-License-Identifier: MIT
"""Time for programs whose memory is judged.

Under `memwhy run -o FILE` each round ends with a snapshot and a pause, so that a series is the
same in every run but for the clock, and on the clock rounds are alike: without the pause a
round that allocates less would be over sooner, and a cache that fills would never slow down.
With MEMWHY_ROUND=0.1 in the environment a round lasts so many seconds instead, for
`memwhy run --every`.

In the programs beside this file each line whose verdict is known says so in a comment,
"verdict: leak" or "verdict: steady | levels off"; no other line may be called a leak.
"""
import os
import time

PAUSE = 0.005  # seconds; some times what the work of a round takes


def rounds(count=60):
    """Yields 0, 1, …, count - 1, and lets the recorder look after each."""
    seconds = os.environ.get("MEMWHY_ROUND")
    for number in range(count):
        yield number
        if seconds is None:
            look()
            time.sleep(PAUSE)
        else:
            time.sleep(float(seconds))


def look():
    try:
        from memwhy._memwhy import _record_now
    except ImportError:
        return
    _record_now()
