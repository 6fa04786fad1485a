# SPDX-License-Identifier: MIT
"""The names of objgraph 3.6, on memwhy's look at the heap.

    import memwhy.objgraph as objgraph

Functions, arguments, defaults, texts and drawings are objgraph's.  Counting and the search
for referrers are C: one pass over the heap, where module gc passes over it for each object of
a search; and only what is returned is made into objects.

Like objgraph, functions see what the collector tracks, so no str, no int and no bytes.  With
untracked=True they see every object that memwhy.heap() sees, and running frames among the
referrers.  What else differs is in docs/objgraph.md.
"""
import collections
import gc
import io
import os
import shutil
import subprocess
import sys
import tempfile
import types

from memwhy import _layouts, _memwhy
# Some for objgraph's own tests, which know these names.
from memwhy._objgraph_dot import (  # noqa: F401
    _edge_label,
    _gradient,
    _is_dead_proxy,
    _isinstance,
    _long_typename,
    _name_of,
    _obj_attrs,
    _obj_label,
    _obj_node_id,
    _safe_repr,
    _short_repr,
    _write,
)

_layouts.check()

__all__ = [
    "at",
    "at_addrs",
    "by_type",
    "count",
    "find_backref_chain",
    "find_ref_chain",
    "get_leaking_objects",
    "get_new_ids",
    "growth",
    "is_proper_module",
    "most_common_types",
    "show_backrefs",
    "show_chain",
    "show_growth",
    "show_most_common_types",
    "show_refs",
    "typestats",
]


def _draws_inline():
    """Whether this is a notebook: an IPython that is no terminal (PyCharm's is one, too)."""
    try:
        shell = get_ipython()  # a builtin of IPython's
    except NameError:
        return False
    return "TerminalInteractiveShell" not in type(shell).__name__


IS_INTERACTIVE = _draws_inline()
graphviz = None  # the package, in a notebook that has it
if IS_INTERACTIVE:
    try:
        import graphviz
    except ImportError:
        pass


# ── counting ─────────────────────────────────────────────────────────────────────────

def _count_kinds(objects, filter, untracked):
    """Pairs of a type and how many of its objects there are, by first appearance."""
    if objects is None and not filter:
        return _memwhy._objects_counts(bool(untracked))
    if objects is None:
        objects = _memwhy._objects_of(None, bool(untracked))
    if filter:
        objects = (obj for obj in objects if filter(obj))
    # By id, since a metaclass may make its classes unhashable.
    kinds = {}
    counts = collections.Counter()
    for kind in map(type, objects):
        number = id(kind)
        kinds[number] = kind
        counts[number] += 1
    return [(kinds[number], count) for number, count in counts.items()]


def count(typename, objects=None, *, untracked=False):
    """How many objects have a type of that name: 'Session' or 'app.models.Session'.

    objects are those to count among, by default all that the collector tracks; with
    untracked=True, all that there are.
    """
    shortnames = "." not in typename
    return sum(number for kind, number in _count_kinds(objects, None, untracked)
               if _name_of(kind, shortnames) == typename)


def typestats(objects=None, shortnames=True, filter=None, *, untracked=False):
    """How many objects each type has: a dict by name of type.

    Types of one name count together; with shortnames=False names have their module in front.
    Objects for which filter(obj) is false do not count.
    """
    stats = {}
    for kind, number in _count_kinds(objects, filter, untracked):
        name = _name_of(kind, shortnames)
        stats[name] = stats.get(name, 0) + number
    return stats


def _by_second(pair):
    return pair[1]


def most_common_types(limit=10, objects=None, shortnames=True, filter=None, *, untracked=False):
    """The types with the most objects: a list of (name, count), at most limit (None: all)."""
    stats = typestats(objects, shortnames, filter, untracked=untracked)
    rows = sorted(stats.items(), key=_by_second, reverse=True)
    return rows[:limit] if limit else rows


def show_most_common_types(limit=10, objects=None, shortnames=True, file=None, filter=None, *,
                           untracked=False):
    """Print most_common_types() as a table, to file or standard output."""
    rows = most_common_types(limit, objects, shortnames, filter, untracked=untracked)
    width = max((len(name) for name, _ in rows), default=0)
    for name, number in rows:
        (sys.stdout if file is None else file).write(f"{name:<{width}} {number}\n")


_peak_stats = {}


def growth(limit=10, peak_stats=_peak_stats, shortnames=True, filter=None, *, untracked=False):
    """What grew since the last call: a list of (name, count, increase), the largest first.

    A type's count is compared with its largest so far, which peak_stats remembers: a dict by
    name, of your own if you like.  Collects garbage first.
    """
    gc.collect()
    stats = typestats(None, shortnames, filter, untracked=untracked)
    deltas = {}
    for name, number in stats.items():
        before = peak_stats.get(name, 0)
        if number > before:
            deltas[name] = number - before
            peak_stats[name] = number
    rows = sorted(deltas.items(), key=_by_second, reverse=True)
    return [(name, stats[name], delta) for name, delta in (rows[:limit] if limit else rows)]


def show_growth(limit=10, peak_stats=None, shortnames=True, file=None, filter=None, *,
                untracked=False):
    """Print growth() as a table, to file or standard output; nothing if nothing grew."""
    rows = growth(limit, _peak_stats if peak_stats is None else peak_stats, shortnames, filter,
                  untracked=untracked)
    width = max((len(name) for name, _, _ in rows), default=0)
    for name, number, delta in rows:
        (sys.stdout if file is None else file).write(f"{name:<{width}}{number:9d} {delta:+9d}\n")


# ── new objects ──────────────────────────────────────────────────────────────────────

_ID_COLUMNS = {"old": 1, "current": 2, "new": 3, "deltas": 4}


def _take_ids(ids, shortnames, untracked):
    """Replace what is in the sets of ids; the sets stay, so that none of them is new."""
    for kept in ids.values():
        kept.clear()
    for kind, found in _memwhy._objects_ids(bool(untracked)):
        ids[_name_of(kind, shortnames)] |= found


def _print_ids(rows, file):
    width = max(len(row[0]) for row in rows)
    line = "=" * (width + 4 * 13)
    print(line, file=file)
    print(f"{'Type':<{width}}{'Old_ids':>13}{'Current_ids':>13}{'New_ids':>13}"
          f"{'Count_Deltas':>13}", file=file)
    print(line, file=file)
    for name, old, current, new, delta in rows:
        print(f"{name:<{width}}{old:13d}{current:13d}{new:+13d}{delta:+13d}", file=file)
    print(line, file=file)


def get_new_ids(skip_update=False, limit=10, sortby="deltas", shortnames=None, file=None,
                _state={}, *, untracked=False):
    """Which objects are new since the last call: a dict of sets of ids, by name of type.

    Prints a table of limit rows (0: none, None: all), sorted by the column sortby: 'old',
    'current', 'new' or 'deltas'.  skip_update=True returns once more what the last call
    returned.  shortnames=None means as in the last call, at first True.
    at_addrs(ids) makes ids into objects.
    """
    if sortby not in _ID_COLUMNS:
        raise ValueError(f"sortby must be 'old', 'current', 'new' or 'deltas', not {sortby!r}")
    if not _state:
        _state.update({name: collections.defaultdict(set) for name in ("old", "current", "new")},
                      shortnames=True)
    new_ids = _state["new"]
    if skip_update:
        return new_ids
    if shortnames is not None:
        _state["shortnames"] = shortnames
    gc.collect()
    old_ids, current_ids = _state["current"], _state["old"]
    _take_ids(current_ids, _state["shortnames"], untracked)
    _state.update(old=old_ids, current=current_ids)  # once all are there
    rows = []
    for name in [*new_ids, *(name for name in current_ids if name not in new_ids)]:
        old, current, new = old_ids[name], current_ids[name], new_ids[name]
        new.clear()
        if not old and not current:
            del old_ids[name], current_ids[name], new_ids[name]
            continue
        new |= current - old
        rows.append((name, len(old), len(current), len(new), len(current) - len(old)))
    rows.sort(key=lambda row: (row[_ID_COLUMNS[sortby]], row[0]), reverse=True)
    if rows := rows[:limit]:
        _print_ids(rows, file)
    return new_ids


# ── finding objects ──────────────────────────────────────────────────────────────────

def get_leaking_objects(objects=None, *, untracked=False):
    """Objects to which no object refers: mistakes in counting references in C, or roots.

    Among all that the collector tracks after a collection, or among objects.  What a running
    function has in a variable is no leak, and is left out.
    """
    if objects is None:
        gc.collect()
        return _memwhy._objects_unreferred(bool(untracked))
    objects = list(objects)
    ids = set(map(id, objects))
    for obj in objects:
        ids.difference_update(map(id, _memwhy._object_traversed(obj)))
    return [obj for obj in objects if id(obj) in ids]


def by_type(typename, objects=None, *, untracked=False):
    """The objects with a type of that name: 'Session' or 'app.models.Session'."""
    shortnames = "." not in typename
    if objects is not None:
        return [obj for obj in objects if _name_of(type(obj), shortnames) == typename]
    kinds = [kind for kind, _ in _memwhy._objects_counts(bool(untracked))
             if _name_of(kind, shortnames) == typename]
    return _memwhy._objects_of(kinds, bool(untracked)) if kinds else []


def at(addr, *, untracked=False):
    """The object with that id, or None: at(id(obj)) is obj."""
    found = _memwhy._objects_at([addr], bool(untracked))
    return found[0] if found else None


def at_addrs(address_set, *, untracked=False):
    """A list of the objects with these ids, in no particular order."""
    return _memwhy._objects_at(list(address_set), bool(untracked))


def is_proper_module(obj):
    """Whether obj is a module that sys.modules has under its name: where chains begin."""
    if _is_dead_proxy(obj) or not isinstance(obj, types.ModuleType):
        return False
    # A lazy module (importlib.util.LazyLoader) loads itself when it is asked for anything.
    ask = types.ModuleType.__getattribute__ if _isinstance(obj, types.ModuleType) else getattr
    try:
        name = ask(obj, "__name__")
    except AttributeError:
        return False
    return obj is sys.modules.get(name)


def _proper_modules():
    return [module for module in list(sys.modules.values()) if is_proper_module(module)]


# ── chains ───────────────────────────────────────────────────────────────────────────

def _unwind(obj, parents):
    """From obj to where the search began."""
    chain = [obj]
    while (parent := parents[id(obj)]) is not None:
        chain.append(parent[0])
        obj = parent[0]
    return chain


def _find_chain(obj, predicate, edge_func, max_depth=20, extra_ignore=()):
    """The shortest chain that edge_func leads along from obj to what predicate is true for,
    its end first; [obj] if there is none."""
    parents = {id(obj): None}
    ignored = {*extra_ignore, id(extra_ignore), id(parents), id(sys._getframe())}
    gc.collect()
    level = [obj]
    ignored.add(id(level))
    for depth in range(max_depth + 1):
        deeper = []
        ignored.update((id(deeper), id(ignored)))
        for target in level:
            if predicate(target):
                return _unwind(target, parents)
            if depth == max_depth:
                continue
            origin = (target,)
            neighbours = edge_func(target)
            ignored.update((id(origin), id(neighbours)))
            for neighbour in neighbours:
                if id(neighbour) not in ignored and id(neighbour) not in parents:
                    parents[id(neighbour)] = origin
                    deeper.append(neighbour)
        level = deeper
    return [obj]


def _referents(untracked):
    return _memwhy._object_referents if untracked else _memwhy._object_traversed


def find_ref_chain(obj, predicate, max_depth=20, extra_ignore=(), *, untracked=False):
    """The shortest chain of references from obj to an object that predicate(x) is true for:
    a list that begins with obj; [obj] if there is none.

    max_depth is how many references it may have, extra_ignore ids of objects to pass over.
    """
    return _find_chain(obj, predicate, _referents(untracked), max_depth, extra_ignore)[::-1]


# How many steps, and how many objects in a step, are looked at step by step.
_NEAR_STEPS, _NEAR_OBJECTS = 5, 1000


def _chain_to(place, found, parents):
    chain = []
    while place >= 0:
        chain.append(found[place])
        place = parents[place]
    return chain


def _find_nearby(obj, predicate, max_depth, ignored, asked):
    """The chain if it is short, [obj] if there is none, or None: who knows.  Adds the ids of
    those that predicate was asked about to asked, and the objects to what is returned."""
    found, parents = [obj], [-1]
    begin, end = 0, 1
    for depth in range(_NEAR_STEPS + 1):
        for place in range(begin, end):
            asked.add(id(found[place]))
            if predicate(found[place]):
                return _chain_to(place, found, parents), found
        if depth >= max_depth or begin == end:
            return [obj], found
        if depth == _NEAR_STEPS or end - begin > _NEAR_OBJECTS:
            break
        level = found[begin:end]
        step, origins = _memwhy._referrer_tree(level, [], [*ignored, id(found), id(level)], 1,
                                               sys.maxsize, False)
        for place in range(len(level), len(step)):
            if id(step[place]) not in asked:
                found.append(step[place])
                parents.append(begin + origins[place])
        begin, end = end, len(found)
        del level, step  # they would be referrers
    return None, found


def find_backref_chain(obj, predicate, max_depth=20, extra_ignore=(), *, untracked=False):
    """The shortest chain of references to obj from an object that predicate(x) is true for,
    as a list that ends with obj; [obj] if there is none.

        find_backref_chain(session, is_proper_module)

    max_depth is how many references it may have, extra_ignore ids of objects to pass over.
    """
    gc.collect()
    subjects = [obj]
    ignored = [*extra_ignore, id(extra_ignore), id(subjects)]
    if predicate is is_proper_module:
        stops = _proper_modules()
        ignored.append(id(stops))
        return _memwhy._referrer_chain(subjects, stops, ignored, max_depth, sys.maxsize,
                                       bool(untracked)) or subjects
    asked, chain, nearby = set(), None, []
    if not untracked:
        chain, nearby = _find_nearby(obj, predicate, max_depth, ignored, asked)
    if chain:
        return chain
    ignored.append(id(nearby))
    found, parents = _memwhy._referrer_tree(subjects, [], ignored, max_depth, sys.maxsize,
                                            bool(untracked))
    for place, candidate in enumerate(found):
        if id(candidate) not in asked and predicate(candidate):
            return _chain_to(place, found, parents)
    return subjects


# ── graphs ───────────────────────────────────────────────────────────────────────────

class _Neighbours(list):
    """Objects to draw, and how many more there are."""

    more = 0


class _Referrers:
    """Who refers to whom, as far as a drawing of objs goes: found before it begins."""

    def __init__(self, objs, max_depth, extra_ignore, too_many, untracked):
        stops = _proper_modules()
        ignored = [*extra_ignore, id(extra_ignore), id(stops), id(objs)]
        found, counts, rows = _memwhy._referrers(objs, stops, ignored, max_depth, too_many,
                                                 bool(untracked))
        self._found = found  # so that no id is another's
        self._rows = dict(zip(map(id, found), rows))
        self._counts = dict(zip(map(id, found), counts))

    def of(self, obj):
        more, objects = self._rows.get(id(obj), (0, ()))
        neighbours = _Neighbours(objects)
        neighbours.more = more
        return neighbours

    def count(self, obj):
        """How many references obj had before it was found."""
        return self._counts.get(id(obj), 0)


class _Links:
    """Who refers to whom among the objects of chains."""

    def __init__(self, objects):
        ids = set(map(id, objects))
        self._referrers = {}
        for obj in {id(obj): obj for obj in objects}.values():
            for target in {id(target): target for target in _memwhy._object_referents(obj)}:
                if target in ids:
                    self._referrers.setdefault(target, []).append(obj)

    def of(self, obj):
        return self._referrers.get(id(obj), [])


def show_backrefs(objs, max_depth=3, extra_ignore=(), filter=None, too_many=10, highlight=None,
                  filename=None, extra_info=None, refcounts=False, shortnames=True, output=None,
                  extra_node_attrs=None, *, untracked=False):
    """Draw who refers to objs, an object or a list of objects, and who to these.

    max_depth, too_many    how far, and how many referrers of one object
    filter, extra_ignore   filter(obj) is false, or the id is among these: not drawn
    highlight              highlight(obj) is true: drawn in blue
    filename               'x.dot', or 'x.png', 'x.svg', … which takes graphviz
    output                 a file that the text in graphviz's language is written to
    extra_info             a line more for each object: extra_info(obj)
    extra_node_attrs       attributes of graphviz: a dict, extra_node_attrs(obj)
    refcounts              with the numbers of references
    shortnames             False: names of types have their module in front

    Without filename and output: a picture in a notebook, else graphviz's viewer xdot, else a
    PNG in a temporary directory.
    """
    if not _isinstance(objs, (list, tuple)):
        objs = [objs]
    _check_target(filename, output)
    gc.collect()
    referrers = _Referrers(objs, max_depth, extra_ignore,
                           sys.maxsize if filter else max(too_many, 0), untracked)
    return _draw(objs, referrers.of, False, max_depth, extra_ignore, filter, too_many, highlight,
                 filename, extra_info, refcounts and referrers.count, shortnames, output,
                 is_proper_module, extra_node_attrs)


def show_refs(objs, max_depth=3, extra_ignore=(), filter=None, too_many=10, highlight=None,
              filename=None, extra_info=None, refcounts=False, shortnames=True, output=None,
              extra_node_attrs=None, *, untracked=False):
    """Draw what objs, an object or a list of objects, refer to, and these.

    The arguments are those of show_backrefs().
    """
    return _show_graph(objs, _referents(untracked), True, max_depth, extra_ignore, filter,
                       too_many, highlight, filename, extra_info, refcounts, shortnames, output,
                       None, extra_node_attrs)


def show_chain(*chains, backrefs=True, **arguments):
    """Draw a chain of find_backref_chain() or find_ref_chain(), or several.

    backrefs=False follows references forwards.  The other arguments are those of
    show_backrefs().
    """
    for name in arguments.keys() & {"filter", "max_depth"}:
        raise TypeError(f"show_chain() draws all of a chain and nothing else: it takes no {name}")
    chains = [chain for chain in chains if chain]
    if not chains:
        raise ValueError("show_chain() draws chains, and was given none that is not empty")
    members = [obj for chain in chains for obj in chain]
    ids = set(map(id, members))
    arguments["filter"] = lambda obj: id(obj) in ids
    arguments["max_depth"] = max(map(len, chains)) - 1
    untracked = arguments.pop("untracked", False)
    if backrefs:
        return _show_graph([chain[-1] for chain in chains], _Links(members).of, False,
                           cull_func=is_proper_module, **arguments)
    return _show_graph([chain[0] for chain in chains], _referents(untracked), True, **arguments)


# ── drawing ──────────────────────────────────────────────────────────────────────────

def _check_target(filename, output):
    if filename and output:
        raise ValueError("Cannot specify both output and filename.")


class _Drawing:
    """A graph that a notebook shows, as graphviz's own package would."""

    def __init__(self, source):
        self.source = source

    def _repr_svg_(self):
        if not _program_in_path("dot"):
            return None
        done = subprocess.run(["dot", "-Tsvg"], input=self.source.encode(), capture_output=True)
        return done.stdout.decode() if done.returncode == 0 else None

    def __repr__(self):
        if not _program_in_path("dot"):
            return "<graph: graphviz's program dot is not installed, so it cannot be drawn>"
        return f"<graph of {len(self.source)} characters in graphviz's language>"


def _show_graph(objs, edge_func, swap_source_target, *arguments, **options):
    """Draw what edge_func(obj) leads to from objs."""
    if not _isinstance(objs, (list, tuple)):
        objs = [objs]
    gc.collect()
    return _draw(objs, edge_func, swap_source_target, *arguments, **options)


def _draw(objs, edge_func, swap_source_target, max_depth=3, extra_ignore=(), filter=None,
          too_many=10, highlight=None, filename=None, extra_info=None, refcounts=False,
          shortnames=True, output=None, cull_func=None, extra_node_attrs=None):
    """The arguments are those of show_backrefs(); nothing is drawn behind an object that
    cull_func(obj) is true for."""
    _check_target(filename, output)
    ignored = {*extra_ignore, *map(id, (objs, extra_ignore, sys._getframe(), sys._getframe(1)))}

    def write(out):
        return _write(out, objs, edge_func, swap_source_target, max_depth, ignored, filter,
                      too_many, highlight, extra_info, refcounts, shortnames, cull_func,
                      extra_node_attrs)

    if output:
        write(output)
        return None
    if IS_INTERACTIVE and not filename:
        text = io.StringIO()
        write(text)
        return (graphviz.Source if graphviz else _Drawing)(text.getvalue())
    if filename and filename.endswith(".dot"):
        dot_filename, descriptor = filename, filename
    else:
        descriptor, dot_filename = tempfile.mkstemp(prefix="objgraph-", suffix=".dot", text=True)
    with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as out:
        drawn = write(out)
    print(f"Graph written to {dot_filename} ({drawn} nodes)")
    _present_graph(dot_filename, filename)
    return None


def _present_graph(dot_filename, filename=None):
    """Make the image filename of a drawing; without filename, show it as well as we can."""
    if filename == dot_filename:
        return
    if not filename and _program_in_path("xdot"):
        print("Spawning graph viewer (xdot)")
        subprocess.Popen(["xdot", dot_filename], close_fds=True)
        return
    if not _program_in_path("dot"):
        missing = "Image renderer (dot)" if filename else (
            "Graph viewer (xdot) and image renderer (dot)")
        print(f"{missing} not found, not doing anything else")
        return
    if not filename:
        print("Graph viewer (xdot) not found, generating a png instead")
        filename = dot_filename[:-len(".dot")] + ".png"
    command = ["dot", "-T" + os.path.splitext(filename)[1][1:], "-o" + filename, dot_filename]
    dot = subprocess.Popen(command, close_fds=False)
    dot.wait()
    if dot.returncode != 0:
        print(f'dot failed (exit code {dot.returncode}) while executing "{" ".join(command)}"')
    else:
        print(f"Image generated as {filename}")


def _program_in_path(program):
    return shutil.which(program) is not None
