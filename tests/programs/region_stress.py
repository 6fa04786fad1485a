# SPDX-License-Identifier: MIT
"""Random programs with regions, against a slow twin that knows what each block's regions are.

    python region_stress.py SEED STEPS [exact | sampled]

The twin is a list for each thread of what each running function has entered: a function
puts a list of its own there when it begins, and a generator or coroutine takes its part of
the list with it when it is suspended.  A block's regions are all names on the list of its
moment.  Functions enter regions by `with`, by hand, by an ExitStack and for their callers,
leave them in any order, raise, recurse, resume each other's generators and coroutines, and
do so in several threads.  Blocks have sizes that nobody else has, and every look at a mark
is compared with a walk.
"""
import contextlib
import random
import sys
import threading

import memwhy
from memwhy import _memwhy

NAMES = ["checkout", "search", "job", "Straße", "a" * 300]
LARGE = 40_000  # sizes from here on are the twin's
DEPTH = 6


class Oops(Exception):
    pass


class Twin(threading.local):
    def __init__(self):
        self.stack = []  # of lists of names


twin = Twin()
lock = threading.Lock()
expected = {}  # size: names, outermost first
objects = []  # small blocks: (object, names)
kept = []
parked = []  # suspended generators and coroutines, each with its part of the twin's stack
waiting = []  # for threads


def regions_now():
    return [name for names in twin.stack for name in names]


def new_size():
    with lock:
        size = LARGE + len(expected)
        expected[size] = regions_now()
    return size


def helper(depth):
    """Allocates a few calls further in."""
    if depth > 0:
        return helper(depth - 1)
    return bytes(new_size()), Small()


class Small:
    __slots__ = ("value",)


def remember(small):
    objects.append((small, regions_now()))


def enter_for_caller(region_object):
    return region_object.__enter__()


@contextlib.contextmanager
def around(name):
    with memwhy.region(name, stacklevel=2):
        yield


class Body:
    """What all kinds of functions do, one random action at a time, in their own frames."""

    def __init__(self, rng, depth):
        self.rng = rng
        self.depth = depth
        self.own = []  # what the twin says that this function has entered
        self.left_by_hand = []  # regions, in step with it

    def choose(self, *more):
        return self.rng.choice(("small", "large", "deep", "enter", "leave", "for_me", "call",
                                "resume", "make", *more))


def act(body, action):
    """An action that needs no frame of the body's own."""
    if action == "deep":
        block, small = helper(body.rng.randrange(8))
        kept.append(block)
        remember(small)
    elif action == "call" and body.depth < DEPTH:
        try:
            body.rng.choice((by_hand, by_with, by_stack))(body.rng, body.depth + 1)
        except Oops:
            pass
    elif action == "make" and body.depth < DEPTH:
        kind = body.rng.choice((generate, generate, coroutine))
        parked.append((kind(body.rng, body.depth + 1), []))
    elif action == "resume":
        resume(body.rng)


def resume(rng):
    try:
        suspended, part = parked.pop(rng.randrange(len(parked)))
    except (ValueError, IndexError):
        return
    before = len(twin.stack)
    twin.stack.extend(part)
    try:
        suspended.send(None)
    except (StopIteration, Oops):
        del twin.stack[before:]
    else:
        part[:] = twin.stack[before:]
        del twin.stack[before:]
        parked.append((suspended, part))


def by_hand(rng, depth):
    body = Body(rng, depth)
    twin.stack.append(body.own)
    for _ in range(rng.randrange(2, 9)):
        action = body.choose()
        if action == "small":
            remember(Small())
        elif action == "large":
            kept.append(bytes(new_size()))
        elif action == "enter":
            name = rng.choice(NAMES)
            region_object = memwhy.region(name)
            region_object.__enter__()
            body.own.append(name)
            body.left_by_hand.append(region_object)
            remember(Small())
        elif action == "for_me":
            name = rng.choice(NAMES)
            region_object = memwhy.region(name, stacklevel=2)
            enter_for_caller(region_object)
            body.own.append(name)
            body.left_by_hand.append(region_object)
        elif action == "leave" and body.left_by_hand:
            # Out of order, too.
            index = rng.randrange(len(body.left_by_hand))
            body.left_by_hand.pop(index).__exit__(None, None, None)
            del body.own[index]
        else:
            act(body, action)
    while body.left_by_hand:
        body.left_by_hand.pop().__exit__(None, None, None)
    twin.stack.pop()


def by_with(rng, depth):
    body = Body(rng, depth)
    before = len(twin.stack)
    twin.stack.append(body.own)
    try:
        name = rng.choice(NAMES)
        manager = memwhy.region(name) if rng.random() < 0.7 else around(name)
        with manager:
            body.own.append(name)
            for _ in range(rng.randrange(2, 6)):
                action = body.choose("raise")
                if action == "small":
                    remember(Small())
                elif action == "large":
                    kept.append(bytes(new_size()))
                elif action == "enter":
                    with SHARED:
                        body.own.append(SHARED.name)
                        remember(Small())
                        act(body, body.choose())
                        remember(Small())
                        body.own.pop()
                elif action == "raise":
                    raise Oops
                else:
                    act(body, action)
            body.own.pop()
        remember(Small())
    finally:
        del twin.stack[before:]


SHARED = memwhy.region("shared by all")


def by_stack(rng, depth):
    body = Body(rng, depth)
    before = len(twin.stack)
    twin.stack.append(body.own)
    try:
        with contextlib.ExitStack() as stack:
            for _ in range(rng.randrange(2, 6)):
                action = body.choose("raise")
                if action == "small":
                    remember(Small())
                elif action == "large":
                    kept.append(bytes(new_size()))
                elif action == "enter":
                    name = rng.choice(NAMES)
                    stack.enter_context(memwhy.region(name))
                    body.own.append(name)
                    kept.append(bytes(new_size()))
                elif action == "raise":
                    raise Oops
                else:
                    act(body, action)
        body.own.clear()
        remember(Small())
    finally:
        del twin.stack[before:]


def generate(rng, depth):
    body = Body(rng, depth)
    twin.stack.append(body.own)
    for _ in range(rng.randrange(2, 7)):
        name = rng.choice(NAMES)
        with memwhy.region(name):
            body.own.append(name)
            remember(Small())
            yield
            remember(Small())
            act(body, body.choose())
            if rng.random() < 0.3:
                yield from below(rng, depth)
            kept.append(bytes(new_size()))
            body.own.pop()
        remember(Small())
        yield


def below(rng, depth):
    own = []
    twin.stack.append(own)
    with SHARED:
        own.append(SHARED.name)
        yield
        remember(Small())
    own.pop()
    yield
    kept.append(bytes(new_size()))
    twin.stack.pop()


class Suspension:
    def __await__(self):
        yield


async def coroutine(rng, depth):
    body = Body(rng, depth)
    twin.stack.append(body.own)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(rng.randrange(2, 7)):
            action = body.choose("raise", "await")
            if action == "small":
                remember(Small())
            elif action == "enter":
                name = rng.choice(NAMES)
                stack.enter_context(memwhy.region(name))
                body.own.append(name)
                remember(Small())
            elif action == "raise":
                raise Oops
            elif action == "await" and depth < DEPTH:
                try:
                    await coroutine(rng, depth + 1)
                except Oops:
                    pass
                # Counted from here: who resumed us last may have called from elsewhere.
                while twin.stack[-1] is not body.own:
                    twin.stack.pop()
            else:
                await Suspension()
                kept.append(bytes(new_size()))
                act(body, action)


def run(seed, steps):
    rng = random.Random(seed)
    for _ in range(steps):
        twin.stack.clear()
        body = Body(rng, 0)
        act(body, rng.choice(("call", "make", "resume", "resume")))


def regions_of(traceback):
    return [frame.function for frame in traceback if frame.filename == "<region>"]


def cut(names):
    """Names as they are recorded: 240 bytes at most."""
    return [name.encode()[:240].decode() for name in names]


def wrong_blocks(how):
    seen = {}
    for trace in memwhy.take_snapshot().traces:
        if trace.size - HEADER in expected:
            seen[trace.size - HEADER] = regions_of(trace.traceback)
    wrong = [(size, names, seen.get(size)) for size, names in expected.items()
             if seen.get(size) != cut(names)]
    if how == "exact":
        for small, names in objects:
            found = regions_of(memwhy.get_object_traceback(small))
            if found != cut(names):
                wrong.append((small, names, found))
    return wrong


HEADER = sys.getsizeof(b"")


def main():
    seed, steps = int(sys.argv[1]), int(sys.argv[2])
    how = sys.argv[3] if len(sys.argv) > 3 else "exact"
    sys.setswitchinterval(1e-5)
    memwhy.start(sample=1 if how == "sampled" else None)
    _memwhy._check_marks(1)
    threads = [threading.Thread(target=run, args=(seed * 10 + n, steps)) for n in range(3)]
    for thread in threads:
        thread.start()
    run(seed * 10 + 9, steps)
    for thread in threads:
        thread.join()
    wrong = wrong_blocks(how)
    for what, names, found in wrong[:5]:
        print(what, "expected", names, "found", found)
    in_force, checks, mismatches = _memwhy._check_marks()
    with_regions = sum(1 for names in expected.values() if names)
    print(f"{len(expected)} large blocks, {with_regions} in regions, {len(objects)} small ones,",
          f"{len(wrong)} wrong; {mismatches} marks wrong of {checks}")
    # What was left suspended is dropped, and its regions with it.
    parked.clear()
    print("in force at the end:", memwhy.get_regions()["in_force"])
    return len(wrong) + mismatches


if __name__ == "__main__":
    sys.exit(min(main(), 1))
