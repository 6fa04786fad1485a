# SPDX-License-Identifier: MIT
"""Looks at frames in every way that Python has, and prints what is seen.

    frame_views.py traced|untraced

The output must be the same: a mark in a frame is nobody's business.
"""
import builtins
import gc
import sys
import traceback

if sys.argv[1] == "traced":
    import memwhy
    from memwhy import _memwhy

    memwhy.start()

SEEN = []
KEPT = []


def show(name, value):
    if type(value) is dict:
        value = {key: value[key] if isinstance(value[key], (int, str)) else type(value[key]).__name__
                 for key in value}
    SEEN.append((name, type(value).__name__, value))


def called_by(look, depth):
    """Allocates below the looker's callers, so that each of them carries a mark."""
    if depth:
        kept = [depth]
        found = called_by(look, depth - 1)
        return [found, kept][0]
    return marked_leaf(look)


def marked_leaf(look):
    KEPT.append([object() for _ in range(3)])
    return look(sys._getframe(1))


def caller_marked(look):
    """Runs [look] in a frame that has called, and so carries a mark."""
    called_by(lambda frame: None, 2)
    return look()


def own_locals(n):
    word = "w"
    called_by(lambda frame: None, 2)
    first = locals()
    called_by(lambda frame: None, 2)
    second = locals()
    show("own", {key: value for key, value in second.items() if isinstance(value, (int, str))})
    show("same dict twice", (first is second) == (sys.version_info < (3, 13)))
    show("references", sys.getrefcount(second))
    show("tracked", gc.is_tracked(second))
    return word


def all_unbound():
    called_by(lambda frame: None, 2)
    show("unbound", locals())
    show("unbound again", dir())
    if SEEN is None:
        never = 1
        return never


def no_variables():
    called_by(lambda frame: None, 2)
    show("none", locals())


def evaluated(n):
    called_by(lambda frame: None, 2)
    show("eval", eval("n + 1"))
    show("exec", exec("n += 1"))
    show("vars", sorted(vars()))


def outer_frames(n):
    def look(frame):
        while frame.f_code is not outer_frames.__code__:
            show("outer " + frame.f_code.co_name, sorted(frame.f_locals))
            frame = frame.f_back
        show("outermost", sorted(frame.f_locals))

    called_by(look, 3)


def raised(n):
    called_by(lambda frame: None, 1)
    raise ValueError(n)


def by_traceback():
    try:
        called_by(lambda frame: raised(7), 2)
    except ValueError as error:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            show("in traceback " + frame.f_code.co_name, sorted(frame.f_locals))
        captured = traceback.TracebackException.from_exception(error, capture_locals=True)
        show("captured", sorted(captured.stack[-1].locals))
        first = error.__traceback__.tb_next.tb_frame
        del error, captured, frame
    first.clear()
    show("cleared", sorted(first.f_locals))


def imported(n):
    def replaced(name, globals=None, locals=None, fromlist=(), level=0):
        show("import", type(locals).__name__)
        return genuine(name, globals, locals, fromlist, level)

    genuine = builtins.__import__
    called_by(lambda frame: None, 2)
    builtins.__import__ = replaced
    try:
        import json.tool  # noqa: F401
    finally:
        builtins.__import__ = genuine


def stepped(n):
    def tracer(frame, event, argument):
        if frame.f_code is marked_leaf.__code__:
            show(event, sorted(frame.f_locals))
        return tracer

    sys.settrace(tracer)
    called_by(lambda frame: None, 2)
    sys.settrace(None)


class Watched:
    def __del__(self):
        show("died", len(SEEN))


def lifetimes():
    def holder():
        watched = Watched()
        called_by(lambda frame: None, 2)
        show("held", sorted(locals()))
        return watched and None

    holder()
    gc.collect()


def many_dicts():
    kept = []

    def one(n):
        called_by(lambda frame: None, 1)
        kept.append(locals())

    for n in range(5000):
        one(n)
    show("many", len({id(one) for one in kept}))
    show("all right", [one["n"] for one in kept] == list(range(5000)))
    del kept[:]
    gc.collect()


def ended_frame(n):
    called_by(lambda frame: None, n)
    return sys._getframe()


def carried_mark():
    """Whether a mark stood where all the others would have seen it: the one way to tell."""
    return any(type(one).__name__ == "frame_mark" for one in gc.get_referents(ended_frame(1)))


def main():
    own_locals(3)
    all_unbound()
    no_variables()
    evaluated(4)
    outer_frames(5)
    by_traceback()
    imported(6)
    stepped(7)
    lifetimes()
    many_dicts()
    for line in SEEN:
        print(*line)
    if sys.argv[1] == "traced":
        assert carried_mark() == (sys.version_info < (3, 14))
        in_force, checks, mismatches = _memwhy._check_marks()
        assert in_force and checks and not mismatches
        memwhy.stop()


if __name__ == "__main__":
    main()
