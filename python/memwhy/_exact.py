# SPDX-License-Identifier: MIT
"""memwhy.exact: exact tracing for a while, in a program whose blocks are sampled."""
from memwhy import _memwhy

_WHOLE_TRACEBACK = 65535


class exact:
    """Trace exactly for a while, on top of sampling or alone.

        with memwhy.exact():
            ...
            memwhy.take_snapshot()

    nframe is that of memwhy.start().  Does nothing where exact tracing is on already.
    Afterwards the samples are there as if nothing had happened, those of the meantime
    included.
    """

    def __init__(self, nframe=None):
        self._nframe = _WHOLE_TRACEBACK if nframe is None else nframe
        self._are_ours = []  # by how often this object is entered: whether that began it

    def __enter__(self):
        is_ours = not _memwhy.is_tracing()
        _memwhy.start(self._nframe)
        self._are_ours.append(is_ours)
        return self

    def __exit__(self, *exception):
        if self._are_ours.pop():
            _memwhy.stop()
