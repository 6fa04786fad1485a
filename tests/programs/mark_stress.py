# SPDX-License-Identifier: MIT
"""Random programs under a tracer that compares every mark with a walk of the stack.

    mark_stress.py SEED STEPS

Mixes what pushes, suspends, resumes, unwinds and reuses frames; prints how many marks
were compared and how many were wrong, and exits with status 1 if any was, or if none was
compared.  Nothing here may be tidied: the odd shapes are the point.
"""
import asyncio
import contextlib
import functools
import gc
import random
import sys
import threading
import traceback
import warnings

import memwhy
from memwhy import _memwhy

try:
    import greenlet
except ImportError:
    greenlet = None

sys.setrecursionlimit(20000)
warnings.simplefilter("ignore")
RNG = random.Random(int(sys.argv[1]))
STEPS = int(sys.argv[2])

KEPT = []
GENERATORS = []
TRACEBACKS = []


def allocate(n=0):
    made = [[n], {0: n}, (n, object()), bytes(n % 700)]
    KEPT.append(made)
    if len(KEPT) > 200:
        KEPT.clear()
    return made


# ── things that call back into Python from C ──


class Odd:
    depth = 1

    def __init__(self, n):
        self.value = step(n)

    @property
    def prop(self):
        return step(self.depth)

    def __getitem__(self, n):
        return step(n)

    def __getattr__(self, name):
        if name.startswith("q"):
            return step(int(name[1:]))
        raise AttributeError(name)

    def __add__(self, n):
        return step(n)

    def __call__(self, n, *rest, **named):
        return step(n)

    def __del__(self):
        KEPT.append([1])

    def __iter__(self):
        return (step(2) for _ in range(2))

    def __enter__(self):
        return step(1)

    def __exit__(self, *_):
        allocate()
        return True

    def __eq__(self, other):
        allocate()
        return False

    __hash__ = object.__hash__


def bare():
    return object.__new__(Odd)


# ── generators and coroutines, resumed from many places ──


def generator(n):
    for i in range(6):
        allocate(i)
        sent = yield [i]
        if i % 2:
            step(n)
        try:
            yield {i: sent}
        except ValueError:
            allocate(3)


def delegating(n):
    result = yield from generator(n)
    allocate()
    yield from generator(max(0, n - 1))
    return result


async def coroutine(n):
    allocate(n)
    if n > 0:
        await coroutine(n - 1)
    await asyncio.sleep(0)
    allocate(n)
    async for item in async_generator(n):
        allocate(len(item))
    return [n]


async def async_generator(n):
    for i in range(2):
        allocate(i)
        await asyncio.sleep(0)
        yield [i]


async def gathered(n):
    return await asyncio.gather(*(coroutine(RNG.randint(0, n)) for _ in range(3)))


def advance(make_value):
    """Resumes a generator from one of several call sites."""
    try:
        chosen = RNG.choice(GENERATORS)
    except IndexError:  # there is none, or another thread took the last one meanwhile
        return
    allocate()
    try:
        make_value(chosen)
        allocate()
    except (StopIteration, ValueError, RuntimeError):
        with contextlib.suppress(ValueError):
            GENERATORS.remove(chosen)


def by_for(chosen):
    for count, _ in enumerate(chosen):
        allocate(count)
        if count > 2:
            break


# ── steps ──


def deep(n):
    if n <= 0:
        return step(2)
    if n % 97 == 0:
        allocate(n)
    return deep(n - 1)


def raising(n):
    allocate()
    if n <= 0:
        raise ValueError([n])
    step(n - 2)
    raising(n - 1)


def failing(n):
    try:
        raising(min(n, 3))
    except (ValueError, KeyError) as error:
        allocate()
        TRACEBACKS.append(error.__traceback__)
    if len(TRACEBACKS) > 20:
        for one in TRACEBACKS[::3]:
            with contextlib.suppress(RuntimeError):
                one.tb_frame.clear()
        TRACEBACKS.clear()


def various(n, *rest, key=None, **named):
    allocate()
    return step(n)


def closure(n):
    kept = [n]

    def inner(m):
        allocate()
        return step(m) if kept else None

    return inner(n)


def with_block(n):
    with bare():
        allocate()
        step(n)
        raise KeyError([1])


def looking_at_frames(n):
    frame = sys._getframe()
    allocate(len(frame.f_locals))
    traceback.extract_stack(limit=5)
    step(n)
    frame.f_locals


def traced(n):
    def tracer(frame, event, argument):
        allocate()
        return tracer

    sys.settrace(tracer)
    try:
        step(min(n, 2))
    finally:
        sys.settrace(None)


def profiled(n):
    sys.setprofile(lambda frame, event, argument: allocate() and None)
    try:
        step(min(n, 2))
    finally:
        sys.setprofile(None)


def jumping(n):
    def tracer(frame, event, argument):
        if event == "line" and frame.f_code is body.__code__ and not done:
            done.append(1)
            allocate(1)
            with contextlib.suppress(ValueError):
                frame.f_lineno = frame.f_code.co_firstlineno + 3
            allocate(2)  # the caller of this very function has moved
        return tracer

    done = []

    def body():
        allocate(1)
        allocate(2)
        allocate(3)
        return step(1)

    sys.settrace(tracer)
    try:
        body()
    finally:
        sys.settrace(None)


# ── greenlets: stacks that are parked and go on elsewhere, with frames of their own ──

PARKED = []


def in_greenlet(n):
    for _ in range(3):
        step(n)
        allocate(n)
        deep_switch(RNG.choice([0, 3]))
    return allocate(n)


def deep_switch(n):
    allocate(n)
    if n > 0:
        deep_switch(n - 1)
    else:
        greenlet.getcurrent().parent.switch([n])
    allocate(n)


def switching(n):
    """Starts a greenlet or resumes one, which belongs to the thread that started it."""
    if threading.current_thread() is not threading.main_thread():
        return
    if len(PARKED) < 5:
        PARKED.append(greenlet.greenlet(in_greenlet))
        PARKED[-1].switch(min(n, 2))
        return
    chosen = PARKED.pop(RNG.randrange(len(PARKED)))
    if not chosen.dead:
        chosen.parent = greenlet.getcurrent()
        chosen.switch()
        allocate()
        PARKED.append(chosen)


# ── looks at variables, which some marks stand in the way of ──


def own_variables(n):
    kept = [n]
    step(min(n, 2))
    found = locals()
    allocate(len(found))
    step(min(n, 1))
    assert type(found) is dict and found["n"] == n and found["kept"] is kept
    return dir()


def variables_of_callers(n):
    frame = sys._getframe()
    for _ in range(RNG.randint(1, 6)):
        frame = frame.f_back
        if frame is None:
            break
        allocate(len(frame.f_locals))
    step(min(n, 1))


def restarted(n):
    memwhy.stop()
    allocate()
    memwhy.start()
    step(n)


def cleared(n):
    memwhy.clear_traces()
    step(n)


KINDS = [
    lambda n: step(n),
    lambda n: list(map(step, [n, n])),
    lambda n: sorted([1, 2], key=lambda item: (step(n), item)[1]),
    lambda n: Odd(n),
    lambda n: bare().prop,
    lambda n: bare()[n],
    lambda n: getattr(bare(), "q%d" % n),
    lambda n: bare() + n,
    lambda n: bare()(n, 1, 2, z=3),
    lambda n: [allocate() for _ in bare()],
    lambda n: bare() == bare(),
    lambda n: functools.partial(various, n, 1)(key=2),
    lambda n: functools.reduce(lambda a, b: step(n) and a, [1, 2]),
    lambda n: various(n, 1, 2, key=3, z=[4]),
    lambda n: various(**{"n": n, "q": [1]}),
    lambda n: [step(n) for _ in range(2)],
    lambda n: sum(len(allocate(i)) for i in range(3)),
    lambda n: GENERATORS.append(RNG.choice([generator, delegating])(n)),
    lambda n: advance(next),
    lambda n: advance(lambda chosen: chosen.send(None)),
    lambda n: advance(by_for),
    lambda n: advance(lambda chosen: chosen.throw(ValueError())),
    lambda n: advance(lambda chosen: chosen.close()),
    lambda n: deep(RNG.choice([5, 60, 300, 1500])),
    lambda n: exec("allocate(); step(%d)" % max(0, n - 1), globals()),
    lambda n: eval("step(%d)" % max(0, n - 1), globals()),
    lambda n: exec("class K:\n    made = allocate()\n    again = step(1)", globals()),
    lambda n: gc.collect(RNG.choice([0, 1])),
    failing,
    closure,
    with_block,
    looking_at_frames,
    traced,
    profiled,
    jumping,
    own_variables,
    variables_of_callers,
]
if greenlet is not None:
    KINDS.append(switching)


def step(n):
    allocate(n)
    if n > 0:
        with contextlib.suppress(RecursionError):
            RNG.choice(KINDS)(n - 1)
    return allocate(n)


def in_thread():
    for _ in range(STEPS // 20):
        step(3)


def main():
    _memwhy._check_marks(1)
    memwhy.start()
    in_force = _memwhy._check_marks()[0]
    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=in_thread) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(STEPS):
        step(RNG.randint(1, 5))
        if number % 50 == 0:
            asyncio.run(gathered(RNG.randint(0, 20)))
        if number % 97 == 0:
            RNG.choice([restarted, cleared])(2)
    for thread in threads:
        thread.join()
    still, checks, mismatches = _memwhy._check_marks()
    memwhy.stop()
    print(f"{checks} marks compared, {mismatches} wrong, in force: {in_force} then {still}")
    return 1 if mismatches or not checks else 0


if __name__ == "__main__":
    sys.exit(main())
