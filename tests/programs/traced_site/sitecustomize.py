# SPDX-License-Identifier: MIT
"""With this directory on PYTHONPATH every Python that starts reads this: it traces itself
from its first line on if TRACED_SITE is set.  Both sides of a comparison read it."""
import os

if os.environ.get("TRACED_SITE"):
    import memwhy

    memwhy.start()
