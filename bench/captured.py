# SPDX-License-Identifier: MIT
"""One program of the suite as a script of its own, for tools that run scripts:

    python bench/captured.py NAME SCALE
"""
import sys

import workloads

name, scale = sys.argv[1], float(sys.argv[2])
getattr(workloads, "work_" + name)(max(1, round(workloads.WORKLOADS[name][0] * scale)))
