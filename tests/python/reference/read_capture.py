# SPDX-License-Identifier: MIT
"""A second reader of captures, written from docs/format.md alone.

It is made to be read beside that page, and to be compared with memwhy's own reader: slow,
with everything in memory, and no more careful than the page asks it to be.

    python tests/python/reference/read_capture.py CAPTURE       prints what is in it
"""
import struct
import sys
import zlib
from dataclasses import dataclass, field

MAGIC = b"\x89memwhy\n"
MAJOR = 1
PROGRAM, POINTS, SNAPSHOT, PEAK, SOURCE, CHILD, INPUT, END, HEAP_NODES, HEAP = range(1, 11)
COMPRESSED, OPTIONAL = 1, 2
ANEW, TOTALS = 1, 2
LENGTH_MAXIMUM = 2 ** 28
EXPANSION_MAXIMUM = 64
FRAME_LIMIT_MAXIMUM = 65535
MODULO = 2 ** 64


class Damaged(ValueError):
    """The file is not a capture, or damaged."""


class Newer(ValueError):
    """The file was made by a newer memwhy."""


class NoZstd(RuntimeError):
    """This Python has no zstd: neither compression.zstd nor the package zstandard."""


def need(condition, what):
    if not condition:
        raise Damaged(what)


def decompress(data, length):
    try:
        from compression import zstd
    except ImportError:
        pass
    else:
        return zstd.decompress(data)
    try:
        import zstandard
    except ImportError as error:
        raise NoZstd("no zstd in this Python") from error
    return zstandard.ZstdDecompressor().decompress(data, max_output_size=length)


# ── numbers ───────────────────────────────────────────────────────────────────────────

class Cursor:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, length):
        need(length <= len(self.data) - self.at, "it ends too early")
        self.at += length
        return self.data[self.at - length:self.at]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                break
            need(shift < 70, "a varint has more than ten bytes")
        need(value < MODULO, "a varint does not fit in 64 bits")
        return value

    def count(self):
        return self.varint()

    def column(self, rows):
        return [self.varint() for _ in range(rows)]


def unzigzag(number):
    return number // 2 if number % 2 == 0 else -(number + 1) // 2


def signed(number):
    """A number modulo 2^64 as one of -2^63 to 2^63 - 1."""
    number %= MODULO
    return number - MODULO if number >= MODULO // 2 else number


def add_up(differences):
    """A column of differences as the numbers themselves, modulo 2^64."""
    numbers, above = [], 0
    for difference in differences:
        above = (above + unzigzag(difference)) % MODULO
        numbers.append(above)
    return numbers


def text_of(name):
    return name.decode("utf-8", "surrogatepass")


# ── what a capture is made of ─────────────────────────────────────────────────────────

@dataclass(frozen=True)
class Frame:
    file: str
    line: int
    function: str
    module: str
    first_line: int


@dataclass(frozen=True)
class Site:
    frames: tuple       # the most recent first
    total_frames: int   # 0: unknown
    domain: int
    thread: int
    epoch_start: int


@dataclass(frozen=True)
class Point:
    time: int = 0
    rss_bytes: int = 0
    live_bytes: int = 0
    peak_bytes: int = 0
    overhead_bytes: int = 0
    lost_blocks: int = 0


@dataclass(frozen=True)
class Counts:
    blocks: int = 0
    bytes: int = 0
    total_blocks: int = 0
    total_bytes: int = 0

    def changed(self, numbers):
        """After a change, of two or four numbers."""
        x = [unzigzag(number) for number in numbers]
        d_blocks = x[0] % MODULO
        d_bytes = (x[1] + mean(self.blocks, self.bytes) * d_blocks) % MODULO
        blocks = (self.blocks + d_blocks) % MODULO
        bytes_ = (self.bytes + d_bytes) % MODULO
        if len(x) == 2:
            return Counts(blocks, bytes_, self.total_blocks, self.total_bytes)
        return Counts(blocks, bytes_,
                      (self.total_blocks + x[2] + expected(d_blocks)) % MODULO,
                      (self.total_bytes + x[3] + expected(d_bytes)
                       + mean(blocks, bytes_) * x[2]) % MODULO)


def mean(blocks, bytes_):
    return bytes_ // blocks if blocks else 0


def expected(difference):
    return difference if difference < MODULO // 2 else 0


@dataclass
class Capture:
    program: dict = None
    truncated: bool = False
    exit_status: int = None
    points: list = field(default_factory=list)      # (Point, number of the snapshot or None)
    snapshots: list = field(default_factory=list)   # {Site: Counts}
    has_totals: list = field(default_factory=list)  # by snapshot
    peak: tuple = None                              # (Point, {Site: Counts}, has totals)
    children: list = field(default_factory=list)
    inputs: list = field(default_factory=list)
    lines: dict = field(default_factory=dict)       # (file, line) → text, in bytes
    thread_names: dict = field(default_factory=dict)
    epoch_starts: list = field(default_factory=lambda: [0])
    heaps: list = field(default_factory=list)


class Segment:
    """Tables, counters and the last point, from where they begin anew."""

    def __init__(self):
        self.names = [b""]
        self.frames = [None]
        self.paths = [()]       # each all its frames, the most recent first
        self.epochs = [0]
        self.sites = [None]
        self.counts = [Counts()]
        self.point = Point()

    def item(self, table, number, what):
        need(number < len(table), f"{what} {number} is not there")
        return table[number]


# ── sections ──────────────────────────────────────────────────────────────────────────

def read_points(cursor, last):
    points = []
    for _ in range(cursor.count()):
        time = last.time + cursor.varint()
        need(time < MODULO, "time does not fit in 64 bits")
        rest = [(getattr(last, name) + unzigzag(cursor.varint())) % MODULO
                for name in ("rss_bytes", "live_bytes", "peak_bytes", "overhead_bytes",
                             "lost_blocks")]
        last = Point(time, *rest)
        points.append(last)
    return points


def read_epochs(cursor, segment, capture):
    for later in cursor.column(cursor.count()):
        need(later >= 1, "an epoch does not begin later than the one before")
        start = segment.epochs[-1] + later
        need(start < MODULO, "an epoch's time does not fit in 64 bits")
        if start not in capture.epoch_starts:
            need(start > capture.epoch_starts[-1], "an epoch is out of order")
            capture.epoch_starts.append(start)
        segment.epochs.append(start)


def read_names(cursor, segment):
    lengths = cursor.column(cursor.count())
    segment.names += [cursor.take(length) for length in lengths]


def read_frames(cursor, segment):
    rows = cursor.count()
    columns = [add_up(cursor.column(rows)) for _ in range(5)]
    for file, function, module, line, first_line in zip(*columns):
        names = [text_of(segment.item(segment.names, number, "name"))
                 for number in (file, function, module)]
        lines = [signed(line), signed(first_line)]
        need(all(-2 ** 31 <= number < 2 ** 31 for number in lines), "a line is out of range")
        segment.frames.append(Frame(names[0], lines[0], names[1], names[2], lines[1]))


def read_paths(cursor, segment):
    rows = cursor.count()
    columns = [add_up(cursor.column(rows)) for _ in range(2)]
    for caller, frame in zip(*columns):
        need(frame != 0, "a path has no frame")
        segment.paths.append((segment.item(segment.frames, frame, "frame"),)
                             + segment.item(segment.paths, caller, "caller"))


def read_threads(cursor, segment, capture):
    rows = cursor.count()
    numbers, names = cursor.column(rows), cursor.column(rows)
    for number, name in zip(numbers, names):
        need(1 <= number <= 65535, "a thread's number is out of range")
        capture.thread_names[number] = text_of(segment.item(segment.names, name, "name"))


def total_frames(code, depth, limit):
    if code == 0:
        return min(depth, FRAME_LIMIT_MAXIMUM)
    if code == 1:
        return 0
    need(min(depth, limit) <= code - 1 < 2 ** 32, "a site has too few frames in all")
    return code - 1


def read_sites(cursor, segment, capture):
    rows = cursor.count()
    columns = [add_up(cursor.column(rows)) for _ in range(5)]
    limit = capture.program["frame_limit"] or FRAME_LIMIT_MAXIMUM
    for path, total, domain, thread, epoch in zip(*columns):
        need(path != 0, "a site has no path")
        need(domain < 2 ** 32 and thread < 2 ** 32, "a domain or thread is out of range")
        frames = segment.item(segment.paths, path, "path")
        site = Site(frames, total_frames(total, len(frames), limit), domain, thread,
                    segment.item(segment.epochs, epoch, "epoch"))
        need(site not in segment.sites, "a site is there twice")
        segment.sites.append(site)
        segment.counts.append(Counts())


def read_changes(cursor, segment, totals):
    """The counts after them, which are a new list."""
    counts = list(segment.counts)
    rows = cursor.count()
    columns = [cursor.column(rows) for _ in range(5 if totals else 3)]
    site = 0
    for gap, *numbers in zip(*columns):
        need(gap >= 1, "a site is out of order")
        site += gap
        counts[site] = segment.item(counts, site, "site").changed(numbers)
        after = counts[site]
        need(after.blocks or not after.bytes, "a site has bytes without blocks")
        need(after.total_blocks or not after.total_bytes, "a total has bytes without blocks")
    for name in ("blocks", "bytes", "total_blocks", "total_bytes"):
        need(sum(getattr(one, name) for one in counts) < MODULO, "a sum is out of range")
    return counts


# ── heaps ─────────────────────────────────────────────────────────────────────────────

FORMER_EDGES = 32
BY_COUNT, BY_STR, BY_NUMBER, BY_TEXT, BY_TYPE_AND_TEXT, BY_MODULE, BY_CLASS = range(1, 8)
NAMED, ITEMS, PAIRS = range(3)


@dataclass
class Form:
    type: int
    text: int
    edges: int
    names: list


@dataclass
class Node:
    form: Form
    address: int
    size: int
    references: int     # None: it is never freed
    degree: int
    line: tuple         # file, line, function; None: not known
    count: int = 0
    text: str = ""
    edges: list = field(default_factory=list)


class Heap:
    """Tables that grow from record to record."""

    def __init__(self):
        self.names = [b""]
        self.forms = [None]
        self.lines = [None]
        self.last_line = [0, 0, 0]
        self.nodes = [None]
        self.address = 0
        self.next_edge = 1          # the node whose edges come next
        self.former = {}            # (id of the form, place) → edge
        self.numbers = self.types = self.threads = self.roots = self.known = None

    def name(self, number):
        need(number < len(self.names), "a name is not there")
        return text_of(self.names[number])

    # HEAP_NODES

    def read_nodes(self, cursor):
        read_names(cursor, self)
        self.read_forms(cursor)
        self.read_lines(cursor)
        rows = cursor.count()
        columns = [cursor.column(rows) for _ in range(6)]
        counts = iter(cursor.column(cursor.count()))
        lengths = cursor.column(cursor.count())
        texts = iter([text_of(cursor.take(length)) for length in lengths])
        for row in zip(*columns):
            self.add_node(row, counts, texts)
        for difference in cursor.column(cursor.count()):
            self.add_edge(unzigzag(difference))

    def read_forms(self, cursor):
        rows = cursor.count()
        columns = [cursor.column(rows) for _ in range(4)]
        for type_, text, edges, count in zip(*columns):
            need(text < 8 and edges < 3, "a form is out of range")
            names = [self.name(number) for number in cursor.column(count)]
            self.forms.append(Form(type_, text, edges, names))

    def read_lines(self, cursor):
        rows = cursor.count()
        columns = [cursor.column(rows) for _ in range(3)]
        for row in zip(*columns):
            self.last_line = [(above + unzigzag(number)) % MODULO
                              for above, number in zip(self.last_line, row)]
            file, function, line = self.last_line
            need(-2 ** 31 <= signed(line) < 2 ** 31, "a line is out of range")
            self.lines.append((self.name(file), signed(line), self.name(function)))

    def add_node(self, row, counts, texts):
        form, address, size, references, degree, line = row
        need(1 <= form < len(self.forms) and line < len(self.lines), "a node is out of range")
        need(references < 2 ** 31 and degree < 2 ** 32 and size < 2 ** 63, "a number is too large")
        self.address = (self.address + unzigzag(address)) % MODULO
        node = Node(self.forms[form], self.address, size, references - 1 if references else None,
                    degree, self.lines[line])
        if node.form.text == BY_COUNT:
            node.count = next(counts, None)
            need(node.count is not None and node.count < 2 ** 32, "a count is missing")
        elif node.form.text:
            node.text = next(texts, None)
            need(node.text is not None, "a text is missing")
        self.nodes.append(node)

    def add_edge(self, difference):
        while self.next_edge < len(self.nodes) and \
                len(self.nodes[self.next_edge].edges) == self.nodes[self.next_edge].degree:
            self.next_edge += 1
        need(self.next_edge < len(self.nodes), "there is an edge too many")
        node = self.nodes[self.next_edge]
        place = len(node.edges)
        if place < FORMER_EDGES:
            before = self.former.get((id(node.form), place), self.next_edge)
        else:
            before = node.edges[-2 if node.form.edges == PAIRS else -1]
        edge = (before + difference) % MODULO
        need(1 <= edge < 2 ** 31, "an edge is out of range")
        if place < FORMER_EDGES:
            self.former[id(node.form), place] = edge
        node.edges.append(edge)

    # HEAP

    def read_end(self, cursor):
        count = cursor.count()
        need(count >= 7, "numbers are missing")
        self.numbers = cursor.column(count)
        need(self.numbers[1] == len(self.nodes) - 1, "nodes are missing")
        need(all(len(node.edges) == node.degree for node in self.nodes[1:]), "edges are missing")
        need(self.numbers[2] == sum(node.degree for node in self.nodes[1:]), "edges are missing")
        read_names(cursor, self)
        rows = cursor.count()
        columns = [cursor.column(rows) for _ in range(3)]
        self.types = [(self.name(name), self.name(short), node)
                      for name, short, node in zip(*columns)]
        need(self.types, "there are no types")
        rows = cursor.count()
        columns = [cursor.column(rows) for _ in range(2)]
        self.threads = [None] + [(ident, self.name(name)) for ident, name in zip(*columns)]
        rows = cursor.count()
        columns = [add_up(cursor.column(rows)) for _ in range(4)]
        self.roots = list(zip(*columns))
        self.known = add_up(cursor.column(cursor.count()))
        self.check()

    def check(self):
        nodes = len(self.nodes)
        need(all(form.type < len(self.types) for form in self.forms[1:]), "a type is not there")
        need(all(node < nodes for _, _, node in self.types), "a type's node is not there")
        need(all(1 <= edge < nodes for node in self.nodes[1:] for edge in node.edges),
             "an edge is to a node that is not there")
        need(all(1 <= node < nodes for node in self.known), "a known node is not there")
        need(all(1 <= node < nodes and 1 <= kind <= 3 and name < len(self.names)
                 and thread < len(self.threads) for node, kind, name, thread in self.roots),
             "a root is out of range")

    # what is called what

    def text(self, number):
        node = self.nodes[number]
        kind, type_ = node.form.text, self.types[node.form.type][0]
        return {0: type_, BY_COUNT: f"{type_}({node.count})", BY_STR: f"'{node.text}'",
                BY_NUMBER: node.text, BY_TEXT: node.text, BY_TYPE_AND_TEXT: type_ + node.text,
                BY_MODULE: f"module {node.text}", BY_CLASS: f"class {node.text}"}[kind]

    def key(self, number):
        form = self.nodes[number].form
        if form.text in (BY_STR, BY_NUMBER):
            return self.text(number)
        return f"<{self.types[form.type][1]}>"

    def edge(self, number, place):
        node = self.nodes[number]
        contents = node.count * node.form.edges if node.form.text == BY_COUNT else 0
        if contents > node.degree:
            contents = 0
        if place < contents and node.form.edges == ITEMS:
            return f"[{place}]"
        if place < contents:
            first = place - place % 2
            key, value = node.edges[first:first + 2]
            return f"[{self.key(key)}]" if node.edges[place] == value else f"(key {self.key(key)})"
        names = node.form.names or ["(in C)"]
        return names[min(place - contents, len(names) - 1)]

    def unexplained(self):
        """How many references each node counts that are neither edges nor known."""
        left = [None] + [node.references for node in self.nodes[1:]]
        for found in [edge for node in self.nodes[1:] for edge in node.edges] + self.known:
            if left[found] is not None:
                left[found] -= 1
        return left


# ── records ───────────────────────────────────────────────────────────────────────────

PROGRAM_FIELDS = {
    1: ("name", str), 2: ("command_line", str), 3: ("directory", str), 4: ("python", str),
    5: ("executable", str), 6: ("memwhy", str), 7: ("host", str), 8: ("pid", "signed"),
    9: ("parent_pid", "signed"), 10: ("start_unix_ns", int), 11: ("memory_limit_bytes", int),
    12: ("sample_bytes", int), 13: ("frame_limit", int), 14: ("program_places", list),
    15: ("library_places", list),
}
CHILD_FIELDS = {1: ("time_ns", int), 2: ("pid", "signed"), 3: ("capture", str)}
INPUT_FIELDS = {
    1: ("file", str), 2: ("program", str), 3: ("host", str), 4: ("pid", "signed"),
    5: ("start_unix_ns", int), 6: ("time_ns", int), 7: ("live_bytes", int),
    8: ("live_blocks", int), 9: ("total_bytes", int), 10: ("total_blocks", int),
}
END_FIELDS = {1: ("exit_status", "signed")}


def read_number(value):
    cursor = Cursor(value)
    number = cursor.varint()
    need(cursor.at == len(value), "a number does not fill its field")
    return number


def read_fields(payload, known):
    absent = {str: "", int: 0, "signed": 0, list: None}
    fields = {name: [] if kind is list else absent[kind] for name, kind in known.values()}
    cursor = Cursor(payload)
    while cursor.at < len(payload):
        number = cursor.varint()
        value = cursor.take(cursor.varint())
        if number not in known:
            continue
        name, kind = known[number]
        if kind in (str, list):
            need(len(value) <= 2 ** 20 and b"\0" not in value, "a text is out of range")
            text = text_of(value)
            if kind is list:
                fields[name].append(text)
            else:
                fields[name] = text
        else:
            fields[name] = read_number(value) if kind is int else unzigzag(read_number(value))
    return fields


class Reader:
    def __init__(self):
        self.capture = Capture()
        self.segment = None
        self.beginning = Segment()  # POINTS may come before the first segment
        self.has_ended = False
        self.heap = None

    def record(self, kind, flags, payload):
        need(not self.has_ended, "a record comes after the end")
        need((self.capture.program is None) == (kind == PROGRAM),
             "PROGRAM is not the first record, or not the only one")
        if kind not in (HEAP_NODES, HEAP):
            self.heap = None        # one that was interrupted was not finished
        readers = {PROGRAM: self.program, POINTS: self.points, SNAPSHOT: self.step,
                   PEAK: self.step, SOURCE: self.source, CHILD: self.child, INPUT: self.input,
                   END: self.end, HEAP_NODES: self.heap_nodes, HEAP: self.heap_end}
        if kind in readers:
            readers[kind](*((payload, kind) if kind in (SNAPSHOT, PEAK) else (payload,)))
        else:
            need(flags & OPTIONAL, f"nobody knows records of type {kind}")

    def program(self, payload):
        self.capture.program = read_fields(payload, PROGRAM_FIELDS)
        need(self.capture.program["frame_limit"] <= FRAME_LIMIT_MAXIMUM and
             self.capture.program["sample_bytes"] <= 2 ** 40, "a limit is out of range")

    def add_points(self, points, segment):
        for point in points:
            need(not self.capture.points or point.time >= self.capture.points[-1][0].time,
                 "time goes back")
            self.capture.points.append((point, None))
            segment.point = point

    def points(self, payload):
        segment = self.segment or self.beginning
        self.add_points(read_points(Cursor(payload), segment.point), segment)

    def step(self, payload, kind):
        cursor = Cursor(payload)
        flags = cursor.varint()
        need(flags <= 3, "there are flags that nobody knows")
        if flags & ANEW:
            self.segment = Segment()
        need(self.segment is not None, "the first one does not begin anew")
        segment, capture = self.segment, self.capture
        points = read_points(cursor, Point() if kind == PEAK else segment.point)
        need(len(points) == 1 if kind == PEAK else len(points) >= 1, "points are missing")
        if kind == SNAPSHOT:
            self.add_points(points, segment)
        read_epochs(cursor, segment, capture)
        read_names(cursor, segment)
        read_frames(cursor, segment)
        read_paths(cursor, segment)
        read_threads(cursor, segment, capture)
        read_sites(cursor, segment, capture)
        counts = read_changes(cursor, segment, flags & TOTALS)
        state = {site: one for site, one in zip(segment.sites, counts) if one != Counts()}
        if kind == PEAK:
            capture.peak = (points[0], state, bool(flags & TOTALS))
            return
        segment.counts = counts
        capture.points[-1] = (points[-1], len(capture.snapshots))
        capture.snapshots.append(state)
        capture.has_totals.append(bool(flags & TOTALS))

    def source(self, payload):
        need(self.segment is not None, "SOURCE comes before the first segment")
        cursor = Cursor(payload)
        rows = cursor.count()
        files, lines = add_up(cursor.column(rows)), add_up(cursor.column(rows))
        lengths = cursor.column(rows)
        for file, line, length in zip(files, lines, lengths):
            name = text_of(self.segment.item(self.segment.names, file, "name"))
            need(-2 ** 31 <= signed(line) < 2 ** 31, "a line is out of range")
            self.capture.lines.setdefault((name, signed(line)), cursor.take(length))

    def child(self, payload):
        self.capture.children.append(read_fields(payload, CHILD_FIELDS))

    def input(self, payload):
        self.capture.inputs.append(read_fields(payload, INPUT_FIELDS))

    def heap_nodes(self, payload):
        cursor = Cursor(payload)
        flags = cursor.varint()
        need(flags <= 1, "there are flags that nobody knows")
        if flags & ANEW:
            self.heap = Heap()
        need(self.heap is not None, "a heap does not begin")
        self.heap.read_nodes(cursor)

    def heap_end(self, payload):
        need(self.heap is not None and len(self.heap.nodes) > 1, "a heap does not begin")
        self.heap.read_end(Cursor(payload))
        self.capture.heaps.append(self.heap)
        self.heap = None

    def end(self, payload):
        self.has_ended = True
        self.capture.exit_status = read_fields(payload, END_FIELDS)["exit_status"]


# ── the file ──────────────────────────────────────────────────────────────────────────

def read_header(data):
    need(data[:8] == MAGIC, "not a capture")
    need(len(data) >= 16, "cut off within its header")
    major, _, crc = struct.unpack_from("<HHI", data, 8)
    if major > MAJOR:
        raise Newer(f"format {major}")
    need(crc == zlib.crc32(data[:12]) and major == MAJOR, "the header is damaged")


def read_record(data, at):
    """(type, flags, payload, where the next is), or None if it is cut off."""
    if len(data) - at < 16:
        return None
    crc, check, kind, flags, stored, length = struct.unpack_from("<IHBBII", data, at)
    end = at + 16 + stored
    is_compressed = flags & COMPRESSED
    fits = (stored <= length <= EXPANSION_MAXIMUM * stored if is_compressed
            else stored == length)
    if (check != zlib.crc32(data[at + 6:at + 16]) & 0xffff or kind == 0 or flags > 3
            or length > LENGTH_MAXIMUM or not fits):
        need(not any(data[at:]), f"the record at {at} is damaged")
        return None
    if end > len(data) or crc != zlib.crc32(data[at + 4:end]):
        need(end >= len(data), f"the record at {at} is damaged")
        return None
    payload = data[at + 16:end]
    if is_compressed:
        try:
            payload = decompress(payload, length)
        except NoZstd:
            raise
        except Exception as error:
            raise Damaged(f"the record at {at} does not decompress: {error}") from error
        need(len(payload) == length, f"the record at {at} has another length")
    return kind, flags, payload, end


def read_capture(data):
    """What is in the bytes of a capture; Damaged or Newer if that cannot be said."""
    read_header(data)
    reader = Reader()
    at = 16
    while at < len(data):
        record = read_record(data, at)
        if record is None:
            reader.capture.truncated = True
            break
        kind, flags, payload, at = record
        reader.record(kind, flags, payload)
    need(reader.capture.program is not None, "cut off before its first record was whole")
    return reader.capture


def main(path):
    with open(path, "rb") as file:
        capture = read_capture(file.read())
    print(capture.program)
    for number, snapshot in enumerate(capture.snapshots):
        print(f"snapshot {number}: {len(snapshot)} sites,",
              sum(counts.bytes for counts in snapshot.values()), "bytes")
    print("cut off" if capture.truncated else f"ended with {capture.exit_status}")


if __name__ == "__main__":
    main(sys.argv[1])
