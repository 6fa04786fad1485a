# SPDX-License-Identifier: MIT
"""PyList_Append takes a reference of its own, and an extension forgot to give its own back:
BlueBrain/eFEL#35, vtsuperdarn/davitpy#22."""
import heap_subject


class Feature:
    def __init__(self):
        self.values = [i + 0.5 for i in range(40)]


def features_of(trace):
    return [feature.values[0] for feature in heap_subject.list_of(Feature, 5)]


for trace in range(200):
    features_of(trace)

TRUTH = {
    "kind": "many",
    "held at": "<held from C: __main__.Feature>",
    "kept": ("__main__.Feature", 1000),
    "allocated by": "Feature.__init__",
}
