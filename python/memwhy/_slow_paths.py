# SPDX-License-Identifier: MIT
"""What Snapshot does with raw traces that do not fit into tables.

Raw traces come from callers too, who may put anything into them: numbers that only
behave like ints, file names that are no str, tracebacks without a frame.  Then the rules
of Lib/tracemalloc.py are followed trace by trace, with its results and its errors.  C
calls these functions (src/pyext/snapshot_type.c).
"""

from memwhy._memwhy import Snapshot, Statistic, StatisticDiff, Traceback

_STANDARD_KEYS = ("traceback", "filename", "lineno")


def _frames_of(traceback, key_type):
    if key_type == "traceback":
        return traceback
    if key_type == "lineno":
        return traceback[:1]
    return ((traceback[0][0], 0),)


def _frame_of(frame, key_type):
    return (frame,) if key_type == "lineno" else ((frame[0], 0),)


def _group(raw_traces, key_type, cumulative):
    """Return {Traceback: Statistic}."""
    if key_type not in _STANDARD_KEYS:
        raise ValueError("key_type %r needs traces of ints and strings" % (key_type,))
    statistics = {}
    for _domain, size, raw_traceback, _total_nframe in raw_traces:
        if cumulative:
            keys = [_frame_of(frame, key_type) for frame in raw_traceback]
        else:
            keys = [_frames_of(raw_traceback, key_type)]
        for frames in keys:
            traceback = Traceback(frames)
            statistic = statistics.get(traceback)
            if statistic is None:
                statistics[traceback] = Statistic(traceback, size, 1)
            else:
                statistic.size += size
                statistic.count += 1
    return statistics


def statistics(snapshot, key_type, cumulative):
    """Snapshot.statistics()."""
    grouped = _group(snapshot.traces._traces, key_type, cumulative)
    return sorted(grouped.values(), reverse=True, key=Statistic._sort_key)


def compare_groups(old_group, new_group):
    """tracemalloc._compare_grouped_stats()."""
    differences = []
    for traceback, new in new_group.items():
        old = old_group.pop(traceback, None)
        old_size, old_count = (old.size, old.count) if old is not None else (0, 0)
        differences.append(
            StatisticDiff(
                traceback, new.size, new.size - old_size, new.count, new.count - old_count
            )
        )
    for traceback, old in old_group.items():
        differences.append(StatisticDiff(traceback, 0, -old.size, 0, -old.count))
    return differences


def compare_to(snapshot, old_snapshot, key_type, cumulative):
    """Snapshot.compare_to(); the old snapshot may be any object with _group_by()."""
    new_group = snapshot._group_by(key_type, cumulative)
    old_group = old_snapshot._group_by(key_type, cumulative)
    differences = compare_groups(old_group, new_group)
    return sorted(differences, reverse=True, key=StatisticDiff._sort_key)


def filter_trace(include_filters, exclude_filters, trace):
    """Snapshot._filter_trace()."""
    if include_filters and not any(one._match(trace) for one in include_filters):
        return False
    return all(one._match(trace) for one in exclude_filters)


def filter_traces(snapshot, filters):
    """Snapshot.filter_traces()."""
    raw_traces = snapshot.traces._traces
    if not filters:
        return Snapshot(list(raw_traces), snapshot.traceback_limit)
    include_filters, exclude_filters = [], []
    for one in filters:
        (include_filters if one.inclusive else exclude_filters).append(one)
    kept = [raw for raw in raw_traces if filter_trace(include_filters, exclude_filters, raw)]
    return Snapshot(kept, snapshot.traceback_limit)
