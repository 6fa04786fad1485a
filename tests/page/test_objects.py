# SPDX-License-Identifier: MIT
"""The page's view of the objects: suspects, the tree of dominators, tables."""
import json

import pytest

from page_data import Data


@pytest.fixture
def objects(open_page):
    def open_it(kind="objects", **options):
        page = open_page(kind, **options)
        page.click("#tab-objects")
        return page
    return open_it


def rows(page):
    """The tree's rows in view: level, text, and what they retain."""
    return page.ask("""[...document.querySelectorAll("[role=treegrid] tbody tr:not(.space)")].map(
        row => [+row.ariaLevel, row.cells[0].innerText.replace(/\\s+/g, " ").trim(),
                row.cells[1].querySelector(".size").innerText])""")


def names(page):
    return [name for _, name, _ in rows(page)]


def selected(page):
    """The selected row's text, which the tree calls active, too."""
    assert page.ask("document.querySelectorAll('[role=treegrid] [aria-selected=true]').length") <= 1
    return page.ask("""(active => active && active.cells[0].innerText.replace(/\\s+/g, " ").trim())(
        document.getElementById(document.querySelector("[role=treegrid]")
                                        .getAttribute("aria-activedescendant")))""")


def focus_tree(page):
    page.ask("document.querySelector('[role=treegrid]').focus()")
    page.key("Home")


def select(page, name):
    """Clicks the row with that text."""
    page.ask(f"""[...document.querySelectorAll("[role=treegrid] tbody tr:not(.space)")]
        .find(row => row.cells[0].innerText.replace(/\\s+/g, " ").trim() === {json.dumps(name)})
        .click()""")
    page.settle()


def boxes(page):
    return int(page.ask("document.querySelector('#objects-picture').dataset.boxes"))


def test_a_page_without_objects_has_no_such_view(open_page):
    page = open_page("shop")
    assert page.ask("document.querySelector('#tab-objects')") is None
    assert page.ask("document.querySelectorAll('[role=tab]').length") == 4


def test_a_page_of_objects_alone_begins_with_them(open_page):
    page = open_page("alone")
    assert page.text("h1").startswith("sys.modules['visits'].VISITS.by_url (dict(8600)) retains")
    assert page.ask("document.querySelector('[role=tab][aria-selected=true]').id") == "tab-objects"
    assert page.ask("[...document.querySelectorAll('[role=tab]')].map(one => one.innerText)") == [
        "Source", "Objects", "Details"]
    assert boxes(page) > 20


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_draws(objects, scheme):
    page = objects(scheme=scheme)
    assert boxes(page) > 20
    colours = page.ask("""(canvas => new Set(new Uint32Array(canvas.getContext("2d").getImageData(
        0, 0, canvas.width, canvas.height).data.buffer)).size)(
        document.querySelector("#objects-picture"))""")
    assert colours > 20


def test_suspects_are_sentences_with_path_and_lines(objects):
    page = objects()
    told = page.ask("[...document.querySelectorAll('.suspect')].map(one => one.innerText)")
    assert len(told) == 4
    assert "sys.modules['visits'].VISITS.by_url dict(8600) keeps 5821 KiB in 21,501 objects" in (
        told[0])
    assert "39.8%" in told[0] and "Allocated at shop/visits.py:28" in told[0]
    assert "shop/visits.py:12" in told[0] and "4,300" in told[0]
    assert "bytearray(3145728) is 3072 KiB by itself" in told[1]
    assert "held by several together: dropping one of them frees nothing" in told[2]
    assert "sys.modules['orders']" in told[2] and "sys.modules['mail']" in told[2]
    assert "900 objects of decimal.Context that C code holds keep 1512 KiB alive" in told[3]
    heads = page.ask("[...document.querySelectorAll('.verdict-more')].map(one => one.innerText)")
    assert heads[-1].startswith("sys.modules['visits'].VISITS.by_url (dict(8600)) retains 5821 KiB")


def test_a_suspect_leads_to_its_place_in_the_tree(objects):
    page = objects()
    page.click("[data-object]")
    assert selected(page) == ".by_url dict(8600)"
    assert "sys.modules['visits'].VISITS.by_url" in page.text("#said")


def test_the_tree_is_what_the_data_says(objects, page_file):
    heap = Data(page_file("objects").read_text()).heaps[0]
    page = objects()
    shown = rows(page)
    assert shown[0][:2] == [1, "sys.modules['visits']"]
    assert shown[1][:2] == [2, ".VISITS visits.Visits"]
    assert [1, "1,200 × dict held by several", "1533 KiB"] in shown
    assert [1, "900 × decimal.Context held from C", "1512 KiB"] in shown
    assert sum(row["retained"] for row in heap["rows"][1:] if row["parent"] == 0) == (
        heap["facts"]["summary"]["bytes"])
    for number, row in enumerate(heap["rows"]):
        below = [one for one in heap["rows"][1:] if one["parent"] == number]
        if below and number != 0:
            assert sum(one["retained"] for one in below) == row["retained"] - row["size"]


def test_the_keyboard_walks_down_and_up(objects):
    page = objects()
    focus_tree(page)
    assert selected(page) == "sys.modules['visits']"
    page.key("ArrowLeft")       # it is open: closes
    assert [name for level, name, _ in rows(page) if level == 2] == [".buffer bytearray(3145728)"]
    page.key("ArrowRight")      # opens
    page.key("ArrowRight")      # goes in
    assert selected(page) == ".VISITS visits.Visits"
    page.key("ArrowDown")
    assert selected(page) == ".by_url dict(8600)"
    page.key("ArrowLeft")
    page.key("ArrowLeft")
    assert selected(page) == ".VISITS visits.Visits"
    page.key("ArrowUp")
    assert selected(page) == "sys.modules['visits']"
    select(page, ".buffer bytearray(3145728)")
    assert selected(page) == ".buffer bytearray(3145728)"
    page.key("ArrowLeft")       # nothing to close: goes out
    assert selected(page) != ".buffer bytearray(3145728)"
    page.key("End")
    assert page.ask("document.querySelector('[role=treegrid] tbody').lastChild.ariaSelected") == (
        "true")
    everything = boxes(page)
    page.key("Home")
    page.key("Enter")           # zooms the picture in
    assert boxes(page) < everything
    page.key("Escape")
    assert boxes(page) == everything


def test_two_clicks_on_a_twist_are_two_clicks(objects):
    page = objects()
    opened = names(page)
    for event in ("click", "click", "dblclick"):
        page.ask(f"""document.querySelector("[role=treegrid] .twist")
            .dispatchEvent(new MouseEvent("{event}", {{bubbles: true}}))""")
        page.settle()
    assert names(page) == opened


def test_rows_say_to_a_reader_of_screens_what_they_are(objects):
    page = objects()
    told = page.ask("""[...document.querySelectorAll("[role=treegrid] tbody tr:not(.space)")]
        .slice(0, 3).map(row => [row.ariaLevel, row.ariaExpanded, row.ariaPosInSet,
                                 row.ariaSetSize, row.cells[0].getAttribute("role")])""")
    assert told[0][:3] == ["1", "true", "1"] and int(told[0][3]) > 100
    assert told[1] == ["2", "true", "1", "1", "gridcell"]
    assert page.ask("document.querySelector('[role=treegrid]').ariaLabel").startswith("Dominators")


def test_everything_that_can_be_reached_by_tab_shows_that_it_has_the_focus(objects):
    page = objects()
    page.ask("document.querySelector('#tab-objects').focus()")
    seen = set()
    for _ in range(60):
        page.key("Tab")
        name = page.ask("(one => one.id || one.getAttribute('role') || one.innerText.slice(0, 40))"
                        "(document.activeElement)")
        if page.ask("document.activeElement === document.body"):
            break
        seen.add(name)
        assert page.ask("getComputedStyle(document.activeElement).outlineStyle") != "none", name
    assert {"heap", "part-tree", "part-types", "object-search", "application", "treegrid"} <= seen


def test_a_click_in_the_picture_zooms_and_selects(objects):
    page = objects()
    page.ask("document.querySelector('#objects-picture').scrollIntoView({block: 'center'})")
    left, top = page.ask("(({left, top}) => [left, top])"
                         "(document.querySelector('#objects-picture').getBoundingClientRect())")
    page.mouse(left + 30, top + 3 * 21 + 8, kind="move")
    tip = page.text(".tip")
    assert "dict(8600)" in tip and "sys.modules['visits'].VISITS.by_url" in tip
    assert "shop/visits.py:28" in tip
    page.mouse(left + 30, top + 3 * 21 + 8)
    assert selected(page) == ".by_url dict(8600)"
    assert page.ask("document.querySelector('#object-reset').disabled") is False
    page.click("#object-reset")
    assert page.ask("document.querySelector('#object-reset').disabled") is True


def test_the_search_keeps_what_matches_and_what_leads_there(objects):
    page = objects()
    page.type("#object-search", "user-agent")
    assert names(page) == ["sys.modules['visits']", ".VISITS visits.Visits", ".by_url dict(8600)",
                           "[…] 4,300 × visits.Visit", ".headers 4,300 × dict",
                           "['User-Agent'] 4,300 × str"]
    # 4,300 texts of 590 bytes.
    assert page.text(".matched").endswith("2478 KiB")
    page.type("#object-search", "orders.py")
    assert names(page) == []
    page.type("#object-search", "visits.py:28")
    assert names(page)[-1] == ".by_url dict(8600)"


def test_a_line_leads_to_its_source(objects):
    page = objects()
    select(page, ".by_url dict(8600)")
    page.ask("document.querySelector('[role=treegrid] tr.marked td.line button').click()")
    page.settle()
    assert page.ask("document.querySelector('[aria-selected=true]').id") == "tab-source"
    assert "28" in page.text("tr.marked") and "Visits.__init__" in page.text("tr.marked")


def test_tables_have_what_the_data_says_and_are_sorted(objects, page_file):
    heap = Data(page_file("objects").read_text()).heaps[0]
    page = objects()

    def cells(column):
        return page.ask("[...document.querySelectorAll('.objects .rows tbody tr:not(.space)')].map("
                        f"row => row.querySelector('{column}').innerText)")
    for part in ("types", "modules", "lines", "held"):
        page.click(f"#part-{part}")
        counts = [int(text.replace(",", "")) for text in cells("td.blocks")]
        assert counts == [row["count"] for row in heap[part]][:len(counts)], part
        page.click("[data-sort=blocks]")
        counts = [int(text.replace(",", "")) for text in cells("td.blocks")]
        assert counts == sorted(counts, reverse=True), part
    page.click("#part-types")
    page.click("[data-sort=name]")
    assert cells("td.name") == sorted(cells("td.name"), key=str.lower)
    page.click("#part-modules")
    page.click(".objects .rows tbody button.link")
    assert page.ask("document.querySelector('#object-search').value") == "visits"
    page.click("#part-garbage")
    assert "17.6 KiB in 2 objects, in 1 cycle" in page.text("#view")


def test_another_moment_is_chosen(objects):
    page = objects()
    assert page.text("#heap").splitlines()[0].startswith("after 1 h")
    page.choose("#heap", "1")
    assert "150,002" in page.text(".numbers.small")
    assert names(page)[0] == "sys.modules['crowd']"


def test_a_large_heap_is_a_small_page(objects, page_file):
    path = page_file("crowd")
    assert path.stat().st_size < 1_000_000
    heap = Data(path.read_text()).heaps[0]
    assert heap["facts"]["summary"]["objects"] == 150_002
    assert len(heap["rows"]) <= 20_000
    page = objects("crowd")
    assert boxes(page) > 500
    page.ask("document.querySelector('[role=treegrid]').focus()")
    page.key("End")
    assert len(rows(page)) < 100


def test_a_hostile_name_does_no_harm(objects):
    page = objects("hostile-objects")
    for part in ("tree", "types", "modules", "lines", "held", "garbage"):
        page.click(f"#part-{part}")
        assert page.ask("document.querySelectorAll('img, iframe, object, embed').length") == 0
        assert page.ask("document.querySelectorAll('script').length") == 1
    page.click("#part-tree")
    assert any("<script>document.title='taken'</script>" in name for name in names(page))
    assert "\"><img src=x onerror=" in page.text(".suspects")
    assert "\u202e" not in page.text("#view")    # it would turn what follows round
    assert page.ask("document.title") == "app.py – memwhy"


@pytest.mark.parametrize("width", [390, 640])
def test_it_fits_into_a_narrow_window(objects, width):
    page = objects(width=width, height=844)
    for part in ("tree", "types", "modules", "lines", "held", "garbage"):
        page.click(f"#part-{part}")
        assert page.ask("document.documentElement.scrollWidth") <= width, part


def test_the_second_reader_finds_the_lines(page_file):
    data = Data(page_file("objects").read_text())
    lines = {data.place(row["frame"]): row for row in data.heaps[0]["lines"]}
    assert lines["/home/me/shop/visits.py", 12]["count"] == 2 * 4300
    assert lines["/usr/lib/python3.11/json/decoder.py", 353]["size"] == 1200 * (232 + 4 * 269)
