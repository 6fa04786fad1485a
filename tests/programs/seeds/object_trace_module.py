# SPDX-License-Identifier: MIT
"""The module that the ObjectTrace listing uses: the first argument names it."""
import importlib
import sys

objgraph = importlib.import_module(sys.argv[1])
