# SPDX-License-Identifier: MIT
"""memwhy.objgraph: objgraph's functions on our look at the heap.  What objgraph itself says to
the same questions is in test_objgraph_suite.py."""
import builtins
import importlib
import io
import re
import shutil
import subprocess
import sys
import types
import weakref

import pytest

import memwhy.objgraph as objgraph
from processes import PROGRAMS, python, run

pytestmark = pytest.mark.no_leak_check("looks at what other tests left behind")

graphviz = pytest.mark.skipif(shutil.which("dot") is None, reason="no graphviz here")
PROGRAM = """
import gc, sys
import memwhy.objgraph as objgraph
"""


class Leaf:
    pass


class Holder:
    def __init__(self, held):
        self.held = held


def drawn(show, *arguments, **options):
    out = io.StringIO()
    assert show(*arguments, output=out, **options) is None
    return out.getvalue()


def nodes_of(text):
    """The labels of a drawing, in its order."""
    return [label.replace("\\n", "\n") for label in re.findall(r'^  o\d+\[label="(.*?)"', text,
                                                               re.MULTILINE)]


# ── counting ─────────────────────────────────────────────────────────────────────────

def test_counts_are_those_of_the_collector():
    run(PROGRAM + """
class Leaf: pass
kept = [Leaf() for _ in range(1000)]
def count_both():
    gc.collect()
    theirs = {}
    ours = objgraph.typestats()
    for o in gc.get_objects():
        theirs[type(o).__name__] = theirs.get(type(o).__name__, 0) + 1
    return ours, theirs
count_both()
ours, theirs = count_both()  # the second time, nothing is new
assert ours["Leaf"] == theirs["Leaf"] == 1000
# Made in between: a list of all, a dict of ours.  3.12 puts tuples aside, as gc.freeze() does.
frozen = gc.get_freeze_count()
different = {name: (ours.get(name, 0), theirs.get(name, 0)) for name in {*ours, *theirs}
             if abs(ours.get(name, 0) - theirs.get(name, 0) - frozen * (name == "tuple")) > 2}
assert not different, different
assert "str" not in ours and "int" not in ours
""")


def test_counts_include_what_gc_freeze_hides():
    run(PROGRAM + """
class Leaf: pass
kept = [Leaf() for _ in range(1000)]
gc.freeze()
assert objgraph.count("Leaf") == 1000 == len(objgraph.by_type("Leaf"))
assert objgraph.at(id(kept[0])) is kept[0]
assert objgraph.find_backref_chain(kept[0], objgraph.is_proper_module)[0] is sys.modules["__main__"]
""")


def test_untracked_objects_are_there_for_who_asks():
    kept = ["a text of %d" % number for number in range(1000)]
    assert objgraph.count("str") == 0
    assert objgraph.count("str", untracked=True) > 1000
    assert objgraph.typestats(shortnames=False, untracked=True)["builtins.str"] > 1000
    assert dict(objgraph.most_common_types(None, untracked=True))["str"] > 1000
    texts = objgraph.by_type("str", untracked=True)
    assert set(map(id, kept)) <= set(map(id, texts))
    assert objgraph.at(id(kept[0])) is None
    assert objgraph.at(id(kept[0]), untracked=True) is kept[0]
    assert objgraph.at_addrs({id(kept[3]), 16}, untracked=True) == [kept[3]]


def test_a_collection_of_ones_own_is_counted():
    objects = [1, 2, "a", 1.5, Leaf()]
    assert objgraph.typestats(objects) == {"int": 2, "str": 1, "float": 1, "Leaf": 1}
    assert list(objgraph.typestats(iter(objects))) == ["int", "str", "float", "Leaf"]
    assert objgraph.count(f"{__name__}.Leaf", objects) == 1
    assert objgraph.by_type("int", objects) == [1, 2]
    assert objgraph.most_common_types(1, objects) == [("int", 2)]
    assert objgraph.typestats(objects, filter=lambda obj: obj != 1)["int"] == 1
    out = io.StringIO()
    objgraph.show_most_common_types(2, objects, shortnames=False, file=out)
    assert out.getvalue() == "builtins.int 2\nbuiltins.str 1\n"
    objgraph.show_most_common_types(objects=[], file=out)


def test_types_of_one_name_count_together_and_classes_need_no_hash():
    class Unhashable(type):
        __eq__ = __hash__ = None
    first = Unhashable("NobodyElse", (), {"__module__": "first"})()
    second = type("NobodyElse", (), {"__module__": "second"})()
    for objects in None, [first, second]:
        assert objgraph.count("NobodyElse", objects) == 2
        assert objgraph.count("first.NobodyElse", objects) == 1
        assert objgraph.typestats(objects, shortnames=False)["second.NobodyElse"] == 1
    assert objgraph.by_type("first.NobodyElse") == [first]
    nameless = type("Nameless", (), {"__module__": None})()
    assert objgraph.typestats(shortnames=False)["Nameless"] == 1 and nameless


def test_growth_is_since_the_largest_count():
    peaks = {}
    objgraph.growth(peak_stats=peaks)
    kept = [Leaf() for _ in range(30)]
    before = peaks.get("Leaf", 0)
    row, = [row for row in objgraph.growth(None, peaks) if row[0] == "Leaf"]
    assert row == ("Leaf", before + 30, 30) and peaks["Leaf"] == before + 30
    del kept[10:]
    assert not [row for row in objgraph.growth(None, peaks) if row[0] == "Leaf"]
    kept += [Leaf() for _ in range(15)]
    out = io.StringIO()
    objgraph.show_growth(None, peaks, file=out, filter=lambda obj: isinstance(obj, Leaf))
    assert out.getvalue() == "" and peaks["Leaf"] == before + 30
    kept += [Leaf() for _ in range(15)]
    objgraph.show_growth(None, peaks, file=out, filter=lambda obj: isinstance(obj, Leaf))
    assert re.fullmatch(r"Leaf {6,8}\d+ {6,9}\+10\n", out.getvalue()), out.getvalue()


def test_new_ids_are_of_new_objects(capsys):
    state = {}
    for _ in range(3):  # then the sets of ids are there, too
        objgraph.get_new_ids(limit=0, _state=state)
    kept = [Leaf() for _ in range(40)]
    out = io.StringIO()
    new_ids = objgraph.get_new_ids(limit=1, sortby="new", file=out, _state=state)
    assert new_ids["Leaf"] == set(map(id, kept))
    assert set(objgraph.at_addrs(new_ids["Leaf"])) == set(kept)
    assert objgraph.get_new_ids(skip_update=True, _state=state) is new_ids
    rule, head, _, row, last = out.getvalue().splitlines()
    assert set(rule) == {"="} and len(rule) == len(head) == len(row) == len("Leaf") + 52
    assert rule == last and head.split() == ["Type", "Old_ids", "Current_ids", "New_ids",
                                             "Count_Deltas"]
    assert row.split()[0] == "Leaf" and row.split()[-2:] == ["+40", "+40"]
    names = objgraph.get_new_ids(limit=0, shortnames=False, _state=state)
    assert f"{__name__}.Leaf" in names and not names["no.such.type"]
    assert capsys.readouterr().out == ""
    with pytest.raises(ValueError, match="sortby must be 'old', 'current', 'new' or 'deltas'"):
        objgraph.get_new_ids(sortby="age")


def test_new_ids_are_right_after_a_call_that_failed():
    class Meta(type):
        def __getattribute__(cls, name):
            if name == "__name__" and fails:
                raise ZeroDivisionError
            return super().__getattribute__(name)

    fails = False
    state, kept = {}, [Leaf(), Meta("Made", (), {})()]
    for _ in range(2):
        objgraph.get_new_ids(limit=0, _state=state)
    fails = True
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            objgraph.get_new_ids(limit=0, _state=state)
    fails = False
    kept.append(Leaf())
    assert objgraph.get_new_ids(limit=0, _state=state)["Leaf"] == {id(kept[2])}


# ── what may be handed out ───────────────────────────────────────────────────────────

def test_a_half_made_tuple_is_handed_to_nobody():
    """It has NULL in it: whoever looks into it dies."""
    run(PROGRAM + """
class Leaf: pass
first = Leaf()
def items():
    yield first
    for _ in range(5):
        yield Leaf()
    found = objgraph.by_type("tuple")
    assert len(found) > 50
    for candidate in found:
        list(candidate)
    assert not any(first in candidate for candidate in found)
    assert not any(type(o) is tuple and first in o for o in objgraph.get_leaking_objects())
    assert objgraph.find_backref_chain(first, lambda o: type(o) is tuple, max_depth=1) == [first]
    out = __import__("io").StringIO()
    objgraph.show_backrefs([first], max_depth=1, output=out)
    assert "tuple" not in out.getvalue()
assert len(tuple(items())) == 6
""")


@pytest.mark.parametrize("untracked", [False, True])
def test_a_growing_tuple_is_handed_to_nobody(untracked):
    """tuple(iterable) cannot grow a tuple that somebody else holds; it raises SystemError."""
    run(PROGRAM + f"untracked = {untracked}" + """
held = []
first = object()
def items():
    yield first
    for number in range(30):
        if number in (9, 24):  # ten are full, and 25: the next makes the tuple grow
            held.append(objgraph.by_type("tuple", untracked=untracked))
            held.append(objgraph.get_leaking_objects(untracked=untracked))
            held.append(objgraph.find_backref_chain(first, lambda o: False, untracked=untracked))
        yield [number]
ten = tuple([number] for number in range(10))
made = tuple(items())
assert len(made) == 31
assert any(o is ten for o in held[0])
assert made in objgraph.by_type("tuple", untracked=untracked)
""")


def test_what_is_being_freed_is_not_there():
    run(PROGRAM + """
import weakref
class Leaf: pass
seen = []
leaf = Leaf()
reference = weakref.ref(leaf, lambda _: seen.append(
    (objgraph.by_type("Leaf"), objgraph.by_type("Leaf", untracked=True))))
del leaf
assert seen == [([], [])]
""")


def test_a_class_that_is_being_made_does_no_harm():
    run(PROGRAM + """
seen = []
class Meta(type):
    def mro(cls):
        seen.append([o for o in objgraph.by_type("Meta") if repr(o)])
        return super().mro()
class Made(metaclass=Meta): pass
assert seen and Made not in seen[0] and objgraph.by_type("Meta") == [Made]
""")


def test_no_dict_is_made_by_looking():
    def function():
        pass

    instance = Holder(function)
    text = drawn(objgraph.show_refs, [function, instance], max_depth=2)
    drawn(objgraph.show_backrefs, [function], max_depth=2)
    assert '"__globals__"' in text and '"__annotations__"' not in text
    from memwhy import _memwhy
    assert _memwhy._object_dict(function) is None
    if sys.version_info[:2] != (3, 12):  # which makes the dict where it is asked for a value
        assert _memwhy._object_dict(instance) is None
    instance.__dict__["more"] = 1
    assert _memwhy._object_dict(instance) is instance.__dict__


def test_a_bytearray_is_alone_with_its_bytes():
    """Since 3.15 they are an object; one that somebody holds cannot be resized."""
    array = bytearray(b"some bytes of its own" * 10)
    held = objgraph.by_type("bytes", untracked=True)
    held += objgraph._memwhy._object_referents(array)
    array.extend(b"more" * 1000)
    assert len(array) == 4210 and held


def test_nothing_that_was_found_stays():
    leaf = Leaf()
    kept = [[leaf] for _ in range(50)]
    before = sys.getrefcount(leaf), sys.getrefcount(kept[7])
    objgraph.by_type("Leaf"), objgraph.at(id(leaf)), objgraph.by_type("list", untracked=True)
    objgraph.find_backref_chain(leaf, objgraph.is_proper_module)
    objgraph.find_backref_chain(leaf, lambda obj: False)
    drawn(objgraph.show_backrefs, [leaf], too_many=60, refcounts=True)
    drawn(objgraph.show_backrefs, [leaf], untracked=True)
    objgraph.get_leaking_objects(), objgraph.get_new_ids(limit=0, _state={})
    assert (sys.getrefcount(leaf), sys.getrefcount(kept[7])) == before


@pytest.mark.no_sanitizer("which wants more address space than there is")
def test_too_little_memory_is_said_and_does_no_harm():
    out = run(PROGRAM + """
import resource
class Leaf: pass
leaf = Leaf()
kept = [[leaf] for _ in range(100000)]
calls = [objgraph.typestats, lambda **u: objgraph.by_type("list", **u),
         lambda **u: objgraph.get_leaking_objects(**u),
         lambda **u: objgraph.find_backref_chain(leaf, objgraph.is_proper_module, **u),
         lambda **u: objgraph.find_backref_chain(leaf, lambda o: False, 2, **u)]
said = set()
for call in calls:
    for untracked in False, True:
        for room in 0, 1 << 20, 3 << 20, 6 << 20, 1 << 40:
            used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + room, resource.RLIM_INFINITY))
            try:
                call(untracked=untracked)
            except MemoryError as error:
                assert room < 1 << 40
                said.add(str(error))
            finally:
                resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
assert sys.getrefcount(leaf) <= 100002
print(*sorted(said - {""}))
""")
    assert out == "there is too little memory left to search this heap\n"


# ── finding ──────────────────────────────────────────────────────────────────────────

@pytest.mark.parametrize("address", [0, -1, 1, 16, 2**64, 10**40, "text", None, 1.5])
def test_what_is_no_address_has_no_object(address):
    assert objgraph.at(address) is None
    assert objgraph.at_addrs([address]) == []


def test_leaking_objects_are_those_that_only_c_holds(heap_subject):
    out = run(PROGRAM + f"sys.path.insert(0, {str(heap_subject)!r})" + """
import heap_subject
class Lost: pass
class Held: pass
for _ in range(3):
    heap_subject.hold(Lost())
held = [Held()]
def local(untracked):
    variable = Held()
    return objgraph.typestats(objgraph.get_leaking_objects(untracked=untracked))
for untracked in False, True:
    leaking = local(untracked)
    print(leaking.get("Lost"), leaking.get("Held"))
print(len(objgraph.get_leaking_objects([[], held, held[0]])))
""")
    assert out.splitlines() == ["3 None", "3 None", "2"]


def test_a_chain_leads_from_a_module():
    leaf = Leaf()
    holder = Holder([leaf])
    globals()["_kept"] = {"key": holder}
    try:
        chain = objgraph.find_backref_chain(leaf, objgraph.is_proper_module)
        assert chain[0] is sys.modules[__name__] and chain[-1] is leaf
        assert chain[1] is vars(chain[0]) and holder in chain
        same = objgraph.find_backref_chain(leaf, lambda obj: objgraph.is_proper_module(obj))
        assert list(map(id, same)) == list(map(id, chain))
        short = len(chain) - 2
        assert objgraph.find_backref_chain(leaf, objgraph.is_proper_module, short) == [leaf]
        assert objgraph.find_backref_chain(leaf, objgraph.is_proper_module,
                                           extra_ignore=[id(holder)]) == [leaf]
        assert objgraph.find_backref_chain(leaf, objgraph.is_proper_module, -1) == [leaf]
        forward = objgraph.find_ref_chain(chain[0], lambda obj: obj is leaf)
        assert forward[0] is chain[0] and forward[-1] is leaf and len(forward) == len(chain)
    finally:
        del globals()["_kept"]
    assert objgraph.find_backref_chain(leaf, lambda obj: obj is leaf) == [leaf]
    assert objgraph.find_ref_chain(leaf, lambda obj: False) == [leaf]
    assert objgraph.find_ref_chain([[[leaf]]], lambda obj: obj is leaf, max_depth=2) != leaf


def test_lazy_modules_stay_what_they_are():
    """They are loaded when they are asked for anything, their name included."""
    run(PROGRAM + """
import importlib.util
spec = importlib.util.find_spec("wave")
spec.loader = importlib.util.LazyLoader(spec.loader)
lazy = sys.modules["wave"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(lazy)
kind = type(lazy)
class Leaf: pass
kept = {"leaf": [Leaf()]}
chain = objgraph.find_backref_chain(kept["leaf"], objgraph.is_proper_module)
assert chain[0] is sys.modules["__main__"] and type(lazy) is kind
assert objgraph.is_proper_module(lazy) and type(lazy) is kind
del sys.modules["wave"]
assert not objgraph.is_proper_module(lazy)
del object.__getattribute__(lazy, "__dict__")["__name__"]
assert not objgraph.is_proper_module(lazy) and type(lazy) is kind
""")


def test_chains_lead_through_what_the_collector_does_not_track():
    run(PROGRAM + """
code = compile("12345678901", "a file of its own", "eval")
assert not gc.is_tracked(code)
name = code.co_filename
def is_it(o): return o is code
assert objgraph.find_backref_chain(name, is_it) == [name]
chain = objgraph.find_backref_chain(name, is_it, untracked=True)
assert chain[0] is code and chain[1] is name
assert objgraph.find_ref_chain(code, lambda o: o == 12345678901) == [code]
chain = objgraph.find_ref_chain(code, lambda o: o == 12345678901, untracked=True)
assert [type(o).__name__ for o in chain] == ["code", "tuple", "int"], chain
""")


def test_running_frames_hold_what_is_in_their_variables():
    run(PROGRAM + """
import threading, types
class Leaf: pass
ready, go_on = threading.Event(), threading.Event()
def work():
    leaf = Leaf()
    ready.set()
    go_on.wait()
thread = threading.Thread(target=work)
thread.start()
ready.wait()
leaf, = objgraph.by_type("Leaf")
is_frame = types.FrameType.__instancecheck__
def is_work(o): return isinstance(o, types.FrameType) and o.f_code is work.__code__
assert objgraph.find_backref_chain(leaf, is_work) == [leaf]
chain = objgraph.find_backref_chain(leaf, is_work, untracked=True)
assert len(chain) == 2 and chain[0].f_code.co_name == "work", chain
out = __import__("io").StringIO()
objgraph.show_chain(chain, output=out, untracked=True)
assert out.getvalue().count(" -> ") == 1, out.getvalue()
del chain
go_on.set()
thread.join()
del leaf
assert objgraph.count("Leaf") == 0
""")


@pytest.mark.parametrize("depth", [1, 20])
def test_referrers_come_in_the_order_of_the_collector(depth):
    """A search that goes far is made another way; this one is over after a step either way."""
    run(PROGRAM + f"depth = {depth}" + """
from memwhy import _memwhy
class Leaf: pass
def search():
    leaf = Leaf()
    kept = [{number: leaf} for number in range(300)] + [[leaf, leaf] for _ in range(300)]
    subject = [leaf]
    ignored = [id(kept), id(subject)]
    gc.collect()
    kept += [(leaf, []) for _ in range(20)]
    gc.disable()
    theirs = [id(o) for o in gc.get_referrers(leaf)]
    found, counts, rows = _memwhy._referrers(subject, [], ignored, depth, 10**6, False)
    ours = [id(o) for o in rows[0][1]]
    known = set(map(id, kept))
    assert [o for o in ours if o in known] == [o for o in theirs if o in known]
    assert known <= set(ours) and len(ours) == len(set(ours)) and rows[0][0] == 0
    assert found[0] is leaf and counts[0] >= 920 and counts[ours.index(id(kept[0])) + 1] == 1
    ignored.append(id(found))  # which refers to leaf, too
    few = _memwhy._referrers(subject, [kept[5]], ignored, depth, 7, False)
    assert [id(o) for o in few[2][0][1]] == ours[:7] and few[2][0][0] == len(ours) - 7
    chain = _memwhy._referrer_chain(subject, [kept[450]], ignored, depth, 10**6, False)
    assert chain == [kept[450], leaf]
    found, parents = _memwhy._referrer_tree(subject, [], ignored, depth, 10**6, False)
    places = [place for place, o in enumerate(found) if id(o) in known]
    assert [id(found[place]) for place in places] == [o for o in ours if o in known]
    assert parents[0] == -1 and {parents[place] for place in places} == {0}
search()
""")


def test_a_chain_may_be_long_and_wide():
    """Longer than what a few passes find, and with more nearby than these are made for."""
    leaf = Leaf()
    chain = [leaf]
    for _ in range(12):
        chain.append([chain[-1]])
    wide = [[leaf] for _ in range(70_000)]
    first = chain.pop()
    length = len(chain)
    del chain
    found = objgraph.find_backref_chain(leaf, lambda obj: obj is first)
    assert found[0] is first and found[-1] is leaf and len(found) == length + 1
    asked = []
    objgraph.find_backref_chain(leaf, lambda obj: asked.append(id(obj)), max_depth=9)
    assert len(asked) == len(set(asked)) > 70_000 and set(map(id, wide)) < set(asked)
    globals()["_first"] = first
    try:
        found = objgraph.find_backref_chain(leaf, objgraph.is_proper_module)
        assert found[0] is sys.modules[__name__] and len(found) == length + 3
    finally:
        del globals()["_first"]


def test_a_predicate_may_do_what_it_likes():
    """What was found is held while it runs, whatever it throws away."""
    def clear(obj):
        for rows in every:
            rows.clear()
        return isinstance(obj, types.ModuleType)

    leaf = Leaf()
    every = [[leaf, [number]] for number in range(1000)]
    chain = objgraph.find_backref_chain(leaf, clear)
    assert chain[-1] is leaf and not any(every)
    with pytest.raises(ZeroDivisionError):
        objgraph.find_backref_chain(leaf, lambda obj: 1 / 0)


def test_a_limit_may_change_the_lists_of_the_question():
    """Whatever is asked for its __index__ runs code, and that before the lists are read."""
    run(PROGRAM + """
from memwhy import _memwhy
class Leaf: pass
class Limit:
    def __index__(self):
        for members in lists:
            members.clear()
        return 5
for search in _memwhy._referrers, _memwhy._referrer_tree, _memwhy._referrer_chain:
    for limits in (Limit(), 5), (5, Limit()):
        lists = [Leaf() for _ in range(1000)], [Leaf() for _ in range(1000)], []
        assert not any(search(*lists, *limits, False)), search
""")


# ── drawing ──────────────────────────────────────────────────────────────────────────

def test_a_drawing_says_who_refers_to_an_object():
    leaf = Leaf()
    rows = list(map(list, [(leaf,)] * 15))
    text = drawn(objgraph.show_backrefs, [leaf], too_many=4, max_depth=1, refcounts=True)
    assert nodes_of(text)[0].startswith("Leaf [17]\n<")  # the rows, the variable, our list
    assert len(nodes_of(text)) == 5 and 'label="11 more backreferences"' in text

    def is_among_last(obj, last=rows[13:]):
        return any(obj is row for row in last)

    few = drawn(objgraph.show_backrefs, [leaf], too_many=4, max_depth=1,
                filter=is_among_last)
    assert few.count(" -> ") == 2 and "more backreferences" not in few
    assert nodes_of(few)[1:] == ["list\n1 items"] * 2
    ignored = drawn(objgraph.show_backrefs, leaf, max_depth=1, too_many=50,
                    extra_ignore=list(map(id, rows)))
    assert "list" not in ignored
    assert drawn(objgraph.show_backrefs, leaf, max_depth=0).count("->") == 0


def test_a_proxy_of_what_is_gone_is_drawn():
    leaf = Leaf()
    proxies = [weakref.proxy(leaf), weakref.proxy(Leaf())]
    assert objgraph._is_dead_proxy(proxies[1]) and not objgraph._is_dead_proxy(proxies[0])
    text = drawn(objgraph.show_refs, [proxies], max_depth=1)
    assert len(nodes_of(text)) == 3 and "(unrepresentable)" not in text
    assert not objgraph.is_proper_module(proxies[1])
    assert objgraph.is_proper_module(weakref.proxy(sys)) is False


def test_a_dict_may_change_while_it_is_drawn():
    """As another thread's does, whenever it is its turn."""
    def change(frame, event, argument):
        if frame.f_code.co_filename.endswith("_objgraph_dot.py") and event == "line":
            registry[len(registry)] = None
        return change

    leaf = Leaf()
    registry = {**dict.fromkeys(range(1000)), "leaf": leaf}
    before = sys.gettrace()
    sys.settrace(change)
    try:
        text = drawn(objgraph.show_backrefs, [leaf], max_depth=1)
    finally:
        sys.settrace(before)
    assert '[label="leaf",weight=2]' in text and len(registry) > 1001


def test_a_drawing_says_what_an_object_refers_to():
    inner = {"name": Leaf(), 7: 1.5}
    text = drawn(objgraph.show_refs, [[inner, "text"]], shortnames=False,
                 extra_info=lambda obj: "info", highlight=lambda obj: obj is inner,
                 extra_node_attrs=lambda obj: {"URL": "http://x/", "none": None})
    assert nodes_of(text)[0] == "builtins.list\n2 items\ninfo"
    assert set(nodes_of(text)[1:3]) == {"builtins.dict\n2 items\ninfo",
                                        "builtins.str\n'text'\ninfo"}
    assert '[label="name",weight=2]' in text and '[label="builtins.int\\n7"]' in text
    assert ', URL="http://x/"]' in text and "none=" not in text and "fillcolor=\"0.6,0.6," in text
    more = drawn(objgraph.show_refs, [{"only text": "text"}], untracked=True)
    assert "dict\n1 items" in nodes_of(more) and "str\n'only text'" in nodes_of(more)
    assert "str\n'only text'" not in nodes_of(drawn(objgraph.show_refs, [{"only text": "text"}]))


def test_a_chain_is_drawn_with_all_its_references():
    leaf = Leaf()
    chain = [[[leaf]]]
    members = [chain, chain[0], chain[0][0], leaf]
    for options in {}, {"backrefs": False}:
        text = drawn(objgraph.show_chain, members, [], **options)
        assert text.count(" -> ") == 3 and len(nodes_of(text)) == 4
    other = Holder(chain[0])
    text = drawn(objgraph.show_chain, members, [other, chain[0]])
    assert text.count(" -> ") == 4 and '[label="held"' not in text
    with pytest.raises(ValueError, match="given none that is not empty"):
        objgraph.show_chain([])
    with pytest.raises(TypeError, match="it takes no filter"):
        objgraph.show_chain(members, filter=bool)


def test_any_text_is_written(tmp_path, capsys):
    class Odd:
        def __repr__(self):
            return 'a "quote"\n\\ \0 \udcff \U0001f600'

    path = tmp_path / "odd.dot"
    objgraph.show_refs(Odd(), max_depth=0, filename=str(path))
    assert capsys.readouterr().out == f"Graph written to {path} (1 nodes)\n"
    assert r'label="Odd\na \"quote\"\n\\ \\0' in path.read_text("utf-8")


def test_both_a_file_and_an_output_are_refused():
    for show in objgraph.show_refs, objgraph.show_backrefs:
        with pytest.raises(ValueError, match="Cannot specify both output and filename"):
            show([], filename="x.dot", output=io.StringIO())


@graphviz
@pytest.mark.parametrize("extension, magic", [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_graphviz_makes_images(tmp_path, capsys, extension, magic):
    path = tmp_path / f"graph.{extension}"
    objgraph.show_backrefs([Leaf()], filename=str(path))
    assert path.read_bytes().startswith(magic)
    written, made = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"Graph written to .*objgraph-.*\.dot \(\d+ nodes\)", written)
    assert made == f"Image generated as {path}"


def test_without_graphviz_it_is_said(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    objgraph.show_refs([1], filename=str(tmp_path / "graph.png"))
    objgraph.show_refs([1])
    said = capsys.readouterr().out.splitlines()
    assert said[1] == "Image renderer (dot) not found, not doing anything else"
    assert said[3] == ("Graph viewer (xdot) and image renderer (dot) not found,"
                       " not doing anything else")
    drawing = objgraph._Drawing("digraph {}")
    assert "not installed" in repr(drawing) and drawing._repr_svg_() is None


@graphviz
def test_a_notebook_shows_the_drawing(monkeypatch):
    class ZMQInteractiveShell:
        pass

    monkeypatch.setattr(builtins, "get_ipython", ZMQInteractiveShell, raising=False)
    monkeypatch.setitem(sys.modules, "graphviz", None)
    try:
        importlib.reload(objgraph)
        assert objgraph.IS_INTERACTIVE
        for drawing in (objgraph.show_refs([[1]]), objgraph.show_backrefs([[1]]),
                        objgraph.show_chain([[1]])):
            assert drawing.source.startswith("digraph")
            assert "<svg" in drawing._repr_svg_()
        package = types.ModuleType("graphviz")
        package.Source = lambda text: ("shown", text)
        monkeypatch.setitem(sys.modules, "graphviz", package)
        importlib.reload(objgraph)
        assert objgraph.show_refs([[1]])[0] == "shown"
    finally:
        monkeypatch.undo()
        importlib.reload(objgraph)
    assert not objgraph.IS_INTERACTIVE


# ── the listing ──────────────────────────────────────────────────────────────────────

def test_the_listing_object_trace_runs_as_it_stands(tmp_path):
    program = PROGRAMS / "seeds" / "object_trace_example.py"
    done = python(program, "memwhy.objgraph", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    lines = done.stdout.splitlines()
    first, last = lines.index("========object trace========"), len(lines) - 2
    assert lines[last] == "========object backref========"
    assert len(lines[first + 2:last - 2]) == 8  # its limit
    assert lines[last - 2].split() == ["Test", "1", "+1"]
    assert re.fullmatch(r"Graph written to object_backref.dot \(\d+ nodes\)", lines[-1])
    text = (tmp_path / "object_backref.dot").read_text()
    assert nodes_of(text)[0].startswith("Test\n<__main__.Test object at ")
    assert '[label="seq",weight=2]' in text
    if shutil.which("dot"):
        subprocess.run(["dot", "-Tsvg", "-o", tmp_path / "x.svg", tmp_path / "object_backref.dot"],
                       check=True, timeout=60)
    done = python(program, "memwhy.objgraph", "growth.txt", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    written = (tmp_path / "growth.txt").read_text().splitlines()
    assert written[0].startswith("start:") and written[-1].startswith("end:")
    assert written[-2].split() == ["Test", "1", "+1"]
