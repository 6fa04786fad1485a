# SPDX-License-Identifier: MIT
"""objgraph's own test-suite on memwhy.objgraph, and objgraph beside it.

Both come from objgraph's sources, which `make build` downloads where it can
(tools/requirements-suites.txt).  Of its suite, one test is left out: that its setup.py works.
What its documentation draws as PNG needs graphviz.
"""
import re
import shutil
import sys
import tarfile
from pathlib import Path

import pytest

from processes import PROGRAMS, environment, python

pytestmark = pytest.mark.no_leak_check("runs in processes of its own")

SOURCES = Path(sys.prefix, "suites", "objgraph-3.6.2.tar.gz")

RUN_SUITE = """
import doctest, os, sys, unittest
import memwhy.objgraph
sys.modules["objgraph"] = memwhy.objgraph
sys.path.insert(0, os.getcwd())
import tests
assert tests.objgraph is memwhy.objgraph
del tests.doctest_setup_py_works
documents = [test for test in tests.find_doctests() if test != "docs/quoting.txt"]
if sys.argv[1] == "documents":
    suite = doctest.DocFileSuite(*documents, module_relative=False, setUp=tests.setUp,
                                 tearDown=tests.tearDown, optionflags=doctest.ELLIPSIS,
                                 checker=tests.IgnoreNodeCountChecker())
else:
    tests.find_doctests = lambda: ["docs/quoting.txt"]  # which draws no picture
    suite = tests.test_suite()
sys.exit(not unittest.TextTestRunner().run(suite).wasSuccessful())
"""

# Each is asked of both modules, and what they print must be the same.
ASK_BOTH = """
import gc, importlib, io, re, sys, types
og = importlib.import_module(sys.argv[1])

class Node:
    def __init__(self, *neighbours): self.neighbours = list(neighbours)
    def __del__(self): pass
class Slots: __slots__ = "value", "__weakref__"
def drawn(show, *arguments, **options):
    out = io.StringIO()
    show(*arguments, output=out, **options)
    # In no order, since that of the collector's lists is another after each collection.
    labels = dict(re.findall(r'^  (o[0-9]+)\\[label="(.*?)"', out.getvalue(), re.MULTILINE))
    text = re.sub("o[0-9]{5,}", lambda id: f"<{labels[id[0]]}>", out.getvalue())
    print(*sorted(re.sub("0x[0-9a-f]+", "0x", text).splitlines()), sep="\\n")

a = Node(); b = Node(a); c = Node(b); d = Node(c); a.neighbours.append(d)
x = []; y = [x, [x], dict(x=x)]
cache = {(1, number): [x, number] for number in range(20)}
slots = Slots(); slots.value = x
bound = a.__init__
nodes, me = [a, b, c, d], globals()

def main():
    drawn(og.show_backrefs, [x], too_many=50)
    drawn(og.show_backrefs, x, max_depth=6, too_many=40)
    drawn(og.show_backrefs, [cache[1, 7]], max_depth=2, too_many=40, extra_ignore=[id(me)])
    drawn(og.show_backrefs, a, max_depth=15, too_many=50, extra_ignore=[id(me)],
          highlight=lambda o: isinstance(o, Node))
    drawn(og.show_backrefs, [x, a], too_many=50, shortnames=False, extra_info=lambda o: "info",
          extra_node_attrs=lambda o: {"shape": "box"})
    drawn(og.show_backrefs, [x], too_many=50, filter=lambda o: not isinstance(o, dict))
    drawn(og.show_refs, y)
    drawn(og.show_refs, cache, too_many=4, max_depth=2)
    drawn(og.show_refs, types.SimpleNamespace(a=1, b=[2]))
    drawn(og.show_refs, [bound, "text", 5], max_depth=1)
    chain = og.find_backref_chain(a, og.is_proper_module)
    print([type(o) for o in chain])
    drawn(og.show_chain, chain)
    chain = og.find_backref_chain(x, lambda o: o is me)
    print([type(o) for o in chain])
    chain = og.find_ref_chain(y, lambda o: o is x)
    drawn(og.show_chain, chain, backrefs=False)
    print(og.find_backref_chain(x, lambda o: False) == [x])
    print(og.find_ref_chain(x, lambda o: False) == [x])
    print(len(og.find_backref_chain(a, og.is_proper_module, max_depth=2)),
          len(og.find_backref_chain(a, og.is_proper_module, extra_ignore=[id(nodes)])))
    print(og.count("Node"), og.count("__main__.Node"), og.by_type("Node") == nodes)
    print(og.at(id(a)) is a, og.at(12345), og.at_addrs({id(a), id(b)}) == [a, b])
    og.show_most_common_types(3, objects=[1, 2, "a", 1.0, 2.0, 3.0], shortnames=False)
    peaks = {}
    og.growth(limit=None, peak_stats=peaks)
    more = [Node() for _ in range(7)]
    og.show_growth(limit=None, peak_stats=peaks, filter=lambda o: isinstance(o, Node))
    found = og.growth(limit=None, peak_stats=peaks)
    print([row for row in found if row[0] in ("Node", "Slots")])
    for _ in range(3):
        og.get_new_ids(limit=0)
    more += [Node() for _ in range(300)]
    table = io.StringIO()
    new_ids = og.get_new_ids(limit=1, sortby="new", file=table)
    print(re.sub("  +[0-9]+  +[0-9]+  ", "", table.getvalue()))
    print(new_ids["Node"] == set(map(id, more[7:])), len(new_ids["Slots"]))
    leaking = og.get_leaking_objects()
    print(og.count("Node", leaking))
main()
"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """objgraph's sources: its module, its tests and documents."""
    if not SOURCES.exists():
        pytest.skip("no sources of objgraph: make could not download them")
    directory = tmp_path_factory.mktemp("objgraph")
    with tarfile.open(SOURCES) as archive:
        archive.extractall(directory, **({"filter": "data"} if sys.version_info >= (3, 12) else {}))
    return directory / "objgraph-3.6.2"


@pytest.mark.parametrize("part, least", [("tests", 47), ("documents", 9)])
def test_its_own_test_suite_passes(sources, part, least):
    if part == "documents" and shutil.which("dot") is None:
        pytest.skip("no graphviz here, which its documents draw with")
    done = python("-c", RUN_SUITE, part, cwd=sources)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"Ran (\d+) tests", done.stderr)[1]) >= least, done.stderr
    # Two of Python 2; and since 3.13, documents without examples count as skipped.
    assert int((re.search(r"OK \(skipped=(\d)\)$", done.stderr) or [0, 0])[1]) <= 3, done.stderr


SIGNATURES = """
import importlib, inspect, sys, types
og = importlib.import_module(sys.argv[1])
for name, function in sorted(vars(og).items()):
    if isinstance(function, types.FunctionType) and not name.startswith("_"):
        parameters = inspect.signature(function).parameters.values()
        print(name, [(one.name, str(one.kind), one.default) for one in parameters
                     if one.name != "untracked" and not one.kind > one.VAR_POSITIONAL])
"""


def test_its_functions_have_the_same_parameters(sources):
    ours = ask("memwhy.objgraph", sources, "-c", SIGNATURES)
    assert ours == ask("objgraph", sources, "-c", SIGNATURES) and ours.count("\n") == 17


def ask(module, sources, *program, cwd=None):
    done = python(*program, module, cwd=cwd,
                  env=environment(PYTHONPATH=f"{sources}:{environment().get('PYTHONPATH', '')}"))
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_says_what_objgraph_says(sources):
    ours = ask("memwhy.objgraph", sources, "-c", ASK_BOTH)
    theirs = ask("objgraph", sources, "-c", ASK_BOTH)
    assert ours == theirs and ours.count("digraph") > 10


def test_the_listing_object_trace_draws_the_same(sources, tmp_path):
    program = PROGRAMS / "seeds" / "object_trace_example.py"
    drawings = []
    for module in "objgraph", "memwhy.objgraph":
        said = ask(module, sources, program, cwd=tmp_path)
        text = (tmp_path / "object_backref.dot").read_text()
        labels = re.findall(r'label="(?:[^"\\]|\\.)*"', re.sub("0x[0-9a-f]+", "0x", text))
        drawings.append((said.splitlines()[-1], sorted(labels)))
    assert drawings[0] == drawings[1]
