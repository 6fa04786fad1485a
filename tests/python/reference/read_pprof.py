# SPDX-License-Identifier: MIT
"""A second reader of pprof's profiles, written from profile.proto and from nothing of ours.

    https://github.com/google/pprof/blob/main/proto/profile.proto

It knows each field that profile.proto has, by number and type, and refuses any other.
"""

import gzip

# Message → {field number: (name, type)}; a type in brackets is repeated.
MESSAGES = {
    "Profile": {
        1: ("sample_type", ["ValueType"]), 2: ("sample", ["Sample"]), 3: ("mapping", ["Mapping"]),
        4: ("location", ["Location"]), 5: ("function", ["Function"]),
        6: ("string_table", ["string"]), 7: ("drop_frames", "int64"), 8: ("keep_frames", "int64"),
        9: ("time_nanos", "int64"), 10: ("duration_nanos", "int64"),
        11: ("period_type", "ValueType"), 12: ("period", "int64"), 13: ("comment", ["int64"]),
        14: ("default_sample_type", "int64"), 15: ("doc_url", "int64"),
    },
    "ValueType": {1: ("type", "int64"), 2: ("unit", "int64")},
    "Sample": {1: ("location_id", ["uint64"]), 2: ("value", ["int64"]), 3: ("label", ["Label"])},
    "Label": {1: ("key", "int64"), 2: ("str", "int64"), 3: ("num", "int64"),
              4: ("num_unit", "int64")},
    "Mapping": {
        1: ("id", "uint64"), 2: ("memory_start", "uint64"), 3: ("memory_limit", "uint64"),
        4: ("file_offset", "uint64"), 5: ("filename", "int64"), 6: ("build_id", "int64"),
        7: ("has_functions", "bool"), 8: ("has_filenames", "bool"),
        9: ("has_line_numbers", "bool"), 10: ("has_inline_frames", "bool"),
    },
    "Location": {1: ("id", "uint64"), 2: ("mapping_id", "uint64"), 3: ("address", "uint64"),
                 4: ("line", ["Line"]), 5: ("is_folded", "bool")},
    "Line": {1: ("function_id", "uint64"), 2: ("line", "int64"), 3: ("column", "int64")},
    "Function": {1: ("id", "uint64"), 2: ("name", "int64"), 3: ("system_name", "int64"),
                 4: ("filename", "int64"), 5: ("start_line", "int64")},
}
VARINT, BYTES = 0, 2


def _varint(data, at):
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            assert number < 1 << 64
            return number, at


def _number(raw, kind):
    if kind == "bool":
        assert raw in (0, 1)
        return bool(raw)
    return raw - (1 << 64) if kind == "int64" and raw >> 63 else raw


def _value(data, at, wire, kind):
    """The values of one field (several, if they are packed), and where the next begins."""
    if wire == VARINT:
        assert kind in ("int64", "uint64", "bool"), kind
        raw, at = _varint(data, at)
        return [_number(raw, kind)], at
    assert wire == BYTES, wire
    length, at = _varint(data, at)
    part = data[at:at + length]
    assert len(part) == length
    at += length
    if kind == "string":
        return [part.decode()], at      # strict: profile.proto's strings are UTF-8
    if kind in MESSAGES:
        return [_message(part, kind)], at
    values, inside = [], 0
    while inside < length:
        raw, inside = _varint(part, inside)
        values.append(_number(raw, kind))
    return values, at


def _message(data, name):
    message = {field: [] if isinstance(kind, list) else None
               for field, kind in MESSAGES[name].values()}
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        field, kind = MESSAGES[name][key >> 3]
        repeated = isinstance(kind, list)
        values, at = _value(data, at, key & 7, kind[0] if repeated else kind)
        if repeated:
            message[field] += values
        else:
            (message[field],) = values
    return message


def _labels(labels, strings):
    return {strings[label["key"]]: strings[label["str"]] if label["str"] else label["num"] or 0
            for label in labels}


def read(data):
    """A profile as plain data: `types`, `samples` [(stack, values, labels)], most recent frame
    first, a frame being (function, system name, file, start line, line), and the message."""
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    profile = _message(data, "Profile")
    strings = profile["string_table"]
    assert strings[0] == "" and len(set(strings)) == len(strings)
    functions = {one["id"]: one for one in profile["function"]}
    locations = {one["id"]: one for one in profile["location"]}
    mappings = {one["id"] for one in profile["mapping"]}
    assert 0 not in functions and 0 not in locations
    assert len(functions) == len(profile["function"])
    assert len(locations) == len(profile["location"])

    def text(number):
        return strings[number or 0]

    def frame(identifier):
        location = locations[identifier]
        assert location["mapping_id"] in mappings
        (line,) = location["line"]
        function = functions[line["function_id"]]
        return (text(function["name"]), text(function["system_name"]), text(function["filename"]),
                function["start_line"] or 0, line["line"] or 0)

    samples = []
    for sample in profile["sample"]:
        assert len(sample["value"]) == len(profile["sample_type"])
        samples.append((tuple(map(frame, sample["location_id"])), tuple(sample["value"]),
                        _labels(sample["label"], strings)))
    return {
        "types": [(text(one["type"]), text(one["unit"])) for one in profile["sample_type"]],
        "default": text(profile["default_sample_type"]),
        "period": profile["period"],
        "time_nanos": profile["time_nanos"],
        "duration_nanos": profile["duration_nanos"],
        "comments": [text(one) for one in profile["comment"]],
        "samples": samples,
    }
