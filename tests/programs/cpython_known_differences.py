# SPDX-License-Identifier: MIT
"""Tests of CPython that rightly end differently when traced, each with its reason."""

KNOWN = {
    # (file, test, ways): reason
}


def reason_for(file, test, way):
    """The reason why [test] of [file] may differ, traced that [way]; None if there is none."""
    for (known_file, known_test, ways), reason in KNOWN.items():
        if (known_file, known_test) == (file, test) and way in ways:
            return reason
    return None
