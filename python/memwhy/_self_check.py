# SPDX-License-Identifier: MIT
"""The proof of marks in frames, run when memwhy is imported: src/pyext/frame_marks_check.h
says what it is for.  Nothing here may be tidied: each odd shape is a way to push a frame,
and it is tried often enough for the interpreter to specialise it.

It is quick (a millisecond) and leaves the program alone: no collection, no compilation, no
look at frame objects.  `memwhy doctor` does these too (thoroughly=True).
"""
import gc
import sys
from _operator import call as _call

from memwhy import _memwhy

_poison = _memwhy._marks_poison
_mark = _memwhy._marks_mark

ROUNDS = 12
ROOM = 4096  # bytes; what one round wants of the free stack
FRAMES_MINIMUM = 200
_DEPTH = 10


class _Any:
    def method(self):
        """Only its type is wanted."""


# functools.partial without importing it: all C, so that the innermost frame, which is
# looked at, is that of the function that calls.
_bound = type(_Any().method)


def _shapes(look):
    """Ways to push a frame that calls look()."""

    def inline():
        look()

    def deep(n):
        look()
        if n:
            deep(n - 1)

    def with_defaults(a=1, *b, c=2, **d):
        look()

    def outer():
        look()

        def inner():
            look()
            return outer

        inner()

    def generator():
        look()  # in a frame that lies elsewhere
        inline()
        yield 1

    def class_body():
        class Made:
            look()

    class Odd:
        def __init__(self):
            look()

        @property
        def attribute(self):
            look()

        def method(self):
            look()

        def __getitem__(self, key):
            look()

        def __getattr__(self, name):
            look()

        def __add__(self, other):
            look()

        def __lt__(self, other):
            look()
            return True

        def __iter__(self):
            look()
            return iter(())

        def __enter__(self):
            look()

        def __exit__(self, *details):
            look()

        def __call__(self, *positional, **named):
            look()

        def __del__(self):
            look()

    def with_block():
        with odd:
            look()

    def raising():
        look()
        raise ValueError

    def unwinding():
        try:
            raising()
        except ValueError:
            look()

    def comprehension():
        return [look() for _ in "x"], {look(): look() for _ in "x"}, any(look() for _ in "x")

    odd = Odd()
    return [
        inline,
        lambda: deep(_DEPTH),
        lambda: list(map(with_defaults, (1, 2))),
        lambda: with_defaults(*(1, 2), **{"z": 3}),
        lambda: with_defaults(c=3),
        outer,
        lambda: list(generator()),
        lambda: next(generator()),
        class_body,
        lambda: Odd() and None,
        lambda: odd.attribute,
        lambda: odd.method(),
        lambda: odd[0],
        lambda: odd.missing,
        lambda: odd + 1,
        lambda: odd < 1,
        lambda: list(odd),
        lambda: odd(1, 2, z=3),
        lambda: sorted("ba", key=lambda letter: look() or letter),
        with_block,
        unwinding,
        comprehension,
    ]


def _thorough_shapes(look):
    """Those that compile, which a program's audit hooks would hear of."""
    names = {"look": look}
    return [
        lambda: exec("look()", names),
        lambda: exec("look()", names, {}),
        lambda: eval("look()", names),
        lambda: exec("class Made:\n    look()", names),
        lambda: exec("def f(): look()\nf()\n[look() for _ in 'x']", names),
    ]


def _with_room(function, *arguments, depth=0):
    """Calls the function where the current part of the stack has room for the frames."""
    if _memwhy._marks_room() < ROOM and depth < 500:
        return _with_room(function, *arguments, depth=depth + 1)
    return function(*arguments)


def _push(shapes):
    for _ in range(ROUNDS):
        for shape in shapes:
            _poison()
            shape()


def pushes(shift=0, thoroughly=False):
    """Push frames into poisoned stack; returns (frames, those of them that showed a mark).

    A shift looks so many bytes beside the mark's place: tests of this test.
    """
    look = _bound(_memwhy._marks_look, shift)
    shapes = _shapes(look)
    if thoroughly:
        shapes += _thorough_shapes(look)
    _memwhy._marks_wipe()
    try:
        _with_room(_push, shapes)
    finally:
        result = _memwhy._marks_wipe()
    return result


# ── what a mark outlasts ──────────────────────────────────────────────────────────────


def _nothing(n=0):
    return _nothing(n - 1) if n else None


# One call of C throughout: instructions that are instrumented (a trace function is set,
# 3.12) may take a mark of `stacktop` away, which costs time and nothing else.


def _survival_of_c_call(stands):
    return list(map(_call, (_mark, dict, stands)))[-1]


def _survival_of_callback(stands):
    return list(map(_call, (_mark, _nothing, stands)))[-1]


def _survival_of_collection(stands):
    return list(map(_call, (_mark, gc.collect, stands)))[-1]


def _survival_of_python_call(stands):
    _mark()
    _nothing(3)
    return stands()


def _survival_of_other_generator(stands):
    _mark()
    for _ in (_nothing() for _ in "ab"):
        pass
    return stands()


def _survival_of_exception(stands):
    _mark()
    try:
        _nothing("x")
    except TypeError:
        pass
    return stands()


def _survival_of_frame_object(stands):
    _mark()
    len(sys._getframe().f_locals)
    return stands()


def _survival_of_yield(stands):
    def generator():
        _mark()
        yield
        yield stands()

    running = generator()
    next(running)
    return next(running)


def _survival_of_await(stands):
    async def coroutine():
        _mark()
        await pause()
        return stands()

    class pause:
        def __await__(self):
            yield

    running = coroutine()
    running.send(None)
    try:
        running.send(None)
    except StopIteration as end:
        return end.value


def survivals(shift=0, thoroughly=False):
    """Mark frames and let things happen; returns [(event, has to stay, stayed)]."""
    stands = _bound(_memwhy._marks_stands, shift)
    stays = [("a call of C", _survival_of_c_call), ("a callback", _survival_of_callback)]
    if _memwhy._marks_survive_calls():
        stays += [("a call of Python", _survival_of_python_call),
                  ("a generator", _survival_of_other_generator),
                  ("an exception", _survival_of_exception)]
        if thoroughly:
            stays.append(("a look at the frame", _survival_of_frame_object))
    if thoroughly:
        stays.append(("a collection", _survival_of_collection))
    goes = [("a yield", _survival_of_yield), ("an await", _survival_of_await)]
    return ([(event, True, happen(stands)) for event, happen in stays]
            + [(event, False, happen(stands)) for event, happen in goes])


# ── the verdict ───────────────────────────────────────────────────────────────────────


def has_place_for_marks():
    """Whether a function's frame can carry a mark: not in debug builds since 3.14."""
    return _mark()


def find_fault(shift=0, thoroughly=False):
    """What speaks against marks here, without a full stop; None if nothing does."""
    if not has_place_for_marks():
        return "this build of Python has no place for them"
    frames, shown = pushes(shift, thoroughly)
    if shown:
        return f"{shown} of {frames} new frames showed an old mark"
    if frames < FRAMES_MINIMUM:
        return f"only {frames} frames could be checked"
    for event, has_to_stay, stayed in survivals(shift, thoroughly):
        if stayed != has_to_stay:
            return f"a mark {'outlasts' if stayed else 'does not outlast'} {event}"
    return None
