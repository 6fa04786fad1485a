# SPDX-License-Identifier: MIT
"""Drawings of memwhy.objgraph in graphviz's language: nodes, edges and what they are called."""
import collections
import io
import os
import re
import types
import weakref

from memwhy import _memwhy


# ── names of types ───────────────────────────────────────────────────────────────────

def _isinstance(obj, classes):
    """By the real type: mocks and proxies have another __class__."""
    return issubclass(type(obj), classes)


def _is_dead_proxy(obj):
    """Whether it is a weakref.proxy() of nothing, which raises whatever it is asked for."""
    if not _isinstance(obj, weakref.ProxyTypes):
        return False
    try:
        obj.__class__
    except ReferenceError:
        return True
    return False


def _name_of(kind, shortnames):
    if shortnames:
        return kind.__name__
    module = getattr(kind, "__module__", None)
    return f"{module}.{kind.__name__}" if module else kind.__name__


def _short_typename(obj):
    return _name_of(type(obj), True)


def _long_typename(obj):
    return _name_of(type(obj), False)


# ── texts ────────────────────────────────────────────────────────────────────────────

def _obj_node_id(obj):
    return f"o{id(obj)}"


def _quote(text):
    return (text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            .replace("\0", "\\\\0"))


def _obj_attrs(obj, extra_node_attrs):
    if extra_node_attrs is None:
        return ""
    attributes = sorted(extra_node_attrs(obj).items())
    return ", " + ", ".join(f'{name}="{_quote(value)}"' for name, value in attributes
                            if value is not None)


def _obj_label(obj, extra_info=None, refcounts=False, shortnames=True):
    """refcounts may be a function that knows better how many references there are."""
    name = _name_of(type(obj), shortnames)
    if refcounts:
        if callable(refcounts):
            number = refcounts(obj)
        else:
            number = _memwhy._object_references(obj) - _HELD_WHILE_DRAWN
        name = f"{name} [{number}]"
    lines = [name, _safe_repr(obj)]
    if extra_info:
        lines.append(str(extra_info(obj)))
    return _quote("\n".join(lines))


def _safe_repr(obj):
    try:
        return _short_repr(obj)
    except Exception:
        return "(unrepresentable)"


def _name_or_repr(value):
    try:
        name = value.__name__
    except AttributeError:
        name = None
    return name if _isinstance(name, str) else repr(value)[:40]


_NAMED = type, types.ModuleType, types.BuiltinFunctionType
_COUNTED = tuple, list, dict, set


def _short_repr(obj):
    if _isinstance(obj, _NAMED):
        return _name_or_repr(obj)
    if _isinstance(obj, types.MethodType):
        return _name_or_repr(obj.__func__) + (" (bound)" if obj.__self__ else "")
    if _isinstance(obj, types.FunctionType) and obj.__name__ == "<lambda>":
        code = obj.__code__
        return f"lambda: {os.path.basename(code.co_filename)}:{code.co_firstlineno}"
    if _isinstance(obj, types.FrameType):
        return f"{obj.f_code.co_filename}:{obj.f_lineno}"
    if _isinstance(obj, _COUNTED):
        return f"{len(obj)} items"
    return repr(obj)[:40]


def _gradient(start_color, end_color, depth, max_depth):
    if max_depth == 0:
        return start_color
    share = depth / max_depth
    return tuple(start * (1 - share) + end * share for start, end in zip(start_color, end_color))


_is_identifier = re.compile("[a-zA-Z_][a-zA-Z_0-9]*$").match

_OPTIMIZED = 0x1  # a function's code: its variables are in no dict

# Of functions, but for what would be made when it is asked for.
_FUNCTION_ATTRIBUTES = ("__builtins__", "__class__", "__closure__", "__code__", "__defaults__",
                        "__doc__", "__globals__", "__kwdefaults__", "__module__", "__name__",
                        "__qualname__", "__type_params__")


def _first_key(items, target):
    """A list of the key, or an empty one."""
    for key, value in items:
        if value is target:
            return [key]
    return []


def _keys_of(source, target):
    """A list of the first key of a dict that target is the value of, or an empty one."""
    try:
        return _first_key(source.items(), target)
    except RuntimeError:  # another thread has changed it meanwhile: then in a copy
        return _first_key(list(source.items()), target)


def _attribute_of_function(function, target):
    for name in _FUNCTION_ATTRIBUTES:
        if target is getattr(function, name, None):
            return name
    for name in _keys_of(_memwhy._object_dict(function) or {}, target):
        return name
    # What is left for a dict; asking would make one, or run code.
    return "__annotations__" if _isinstance(target, dict) else None


def _attribute_of_frame(frame, target):
    if frame.f_code.co_flags & _OPTIMIZED == 0 and target is frame.f_locals:
        return "f_locals"
    return "f_globals" if target is frame.f_globals else None


def _attribute_of_method(method, target):
    if target is method.__self__:
        return "__self__"
    return "__func__" if target is method.__func__ else None


def _label_of_item(source, target, shortnames):
    for key in _keys_of(source, target):
        if _isinstance(key, str) and _is_identifier(key):
            return f' [label="{_quote(key)}",weight=2]'
        text = f"{_name_of(type(key), shortnames)}\n{_safe_repr(key)}"
        return f' [label="{_quote(text)}"]'
    return ""


def _edge_label(source, target, shortnames=True):
    name = None
    if _isinstance(target, dict) and target is _memwhy._object_dict(source) and not (
            _isinstance(source, type)):  # which shows a proxy of it
        name = "__dict__"
    elif _isinstance(source, types.FrameType):
        name = _attribute_of_frame(source, target)
    elif _isinstance(source, types.MethodType):
        name = _attribute_of_method(source, target)
    elif _isinstance(source, types.FunctionType):
        name = _attribute_of_function(source, target)
    elif _isinstance(source, dict):
        return _label_of_item(source, target, shortnames)
    return f' [label="{_quote(name)}",weight=10]' if name else ""


# ── the graph ────────────────────────────────────────────────────────────────────────

def _write(out, objs, edge_func, swap_source_target, max_depth, ignored, filter, too_many,
           highlight, extra_info, refcounts, shortnames, cull_func, extra_node_attrs):
    """Write the graph in graphviz's language; returns how many objects it shows."""
    out.write("digraph ObjectGraph {\n  node[shape=box, style=filled, fillcolor=white];\n")
    queue = collections.deque()
    depths = {}
    ignored.update(map(id, (queue, depths, ignored)))
    for obj in objs:
        out.write(f"  {_obj_node_id(obj)}[fontcolor=red];\n")
        depths[id(obj)] = 0
        queue.append(obj)
    obj = None
    drawn = 0
    while queue:
        drawn += 1
        target = queue.popleft()
        depth = depths[id(target)]
        _write_node(out, target, depth, max_depth, highlight, extra_info, refcounts, shortnames,
                    extra_node_attrs)
        if depth >= max_depth or (cull_func is not None and cull_func(target)):
            continue
        neighbours = edge_func(target)
        ignored.add(id(neighbours))
        skipped = getattr(neighbours, "more", 0)
        room = too_many
        for neighbour in neighbours:
            if id(neighbour) in ignored or (filter and not filter(neighbour)):
                continue
            room -= 1
            if room < 0:
                skipped += 1
                continue
            _write_edge(out, target, neighbour, swap_source_target, shortnames)
            if id(neighbour) not in depths:
                depths[id(neighbour)] = depth + 1
                queue.append(neighbour)
        neighbours = neighbour = None
        if skipped > 0:
            _write_more(out, target, skipped, depth + 1, max_depth, swap_source_target)
    out.write("}\n")
    return drawn


def _write_edge(out, target, neighbour, swap_source_target, shortnames):
    source, target = (target, neighbour) if swap_source_target else (neighbour, target)
    out.write(f"  {_obj_node_id(source)} -> {_obj_node_id(target)}"
              f"{_edge_label(source, target, shortnames)};\n")


def _write_node(out, target, depth, max_depth, highlight, extra_info, refcounts, shortnames,
                extra_node_attrs):
    node = _obj_node_id(target)
    out.write(f'  {node}[label="{_obj_label(target, extra_info, refcounts, shortnames)}"'
              f"{_obj_attrs(target, extra_node_attrs)}];\n")
    hue, saturation, value = _gradient((0, 0, 1), (0, 0, .3), depth, max_depth)
    is_dead = _is_dead_proxy(target)
    if not is_dead and isinstance(target, types.ModuleType):
        hue, saturation = .3, 1
    if highlight and highlight(target):
        hue, saturation, value = .6, .6, 0.5 + value * 0.5
    out.write(f'  {node}[fillcolor="{hue:g},{saturation:g},{value:g}"];\n')
    if value < 0.5:
        out.write(f"  {node}[fontcolor=white];\n")
    if not is_dead and hasattr(getattr(target, "__class__", None), "__del__"):
        out.write(f"  {node}->{node}_has_a_del[color=red,style=dotted,len=0.25,weight=10];\n")
        out.write(f'  {node}_has_a_del[label="__del__",shape=doublecircle,height=0.25,color=red,'
                  'fillcolor="0,.5,1",fontsize=6];\n')


def _write_more(out, target, skipped, depth, max_depth, swap_source_target):
    node = _obj_node_id(target)
    edge = f"{node}->too_many_{node}" if swap_source_target else f"too_many_{node}->{node}"
    what = "references" if swap_source_target else "backreferences"
    colour = "{:g},{:g},{:g}".format(*_gradient((0, 1, 1), (0, 1, .3), depth, max_depth))
    out.write(f"  {edge}[color=red,style=dotted,len=0.25,weight=10];\n")
    out.write(f'  too_many_{node}[label="{skipped} more {what}",shape=box,height=0.25,color=red,'
              f'fillcolor="{colour}",fontsize=6];\n')
    out.write(f"  too_many_{node}[fontcolor=white];\n")


def _held_while_drawn():
    """How many references _obj_label() and those that call it add to an object's."""
    target, out = object(), io.StringIO()
    _write_node(out, target, 0, 0, None, None, _memwhy._object_references, True, None)
    return int(re.search(r"object \[(\d+)\]", out.getvalue())[1])


_HELD_WHILE_DRAWN = _held_while_drawn()
