# SPDX-License-Identifier: MIT
"""One measurement, in a process of its own: a job as JSON on stdin, the answer on stdout.

The job is {"kind": module, "column": name, "arguments": {…}}; the module's measure()
does the work between column.begin() and column.end().  A job does not stand on the
command line, so that all columns have the same arguments and environment, hence the same
stack.  What cannot be had here answers {"unavailable": why}.
"""
import importlib
import json
import os
import sys

import columns


def answer(job):
    try:
        column = columns.make(job["column"])
        found = importlib.import_module(job["kind"]).measure(column, **job["arguments"])
    except columns.Unavailable as reason:
        return {"unavailable": str(reason)}
    return found | {"build": columns.build()}


def main():
    job = json.load(sys.stdin)
    # What the programs print is not the answer.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    json.dump(answer(job), out)
    out.flush()
    # An interpreter that tears a traced heap down takes long and tells nothing.
    os._exit(0)


main()
