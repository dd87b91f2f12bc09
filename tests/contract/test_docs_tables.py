"""Tables of the documentation say what the code says."""

import re

import pytest

from docs.tables import MADE, PAGES, TABLES, remake

MADE_PAGES = [path for path in sorted(PAGES.rglob("*.md")) if "<!-- made:" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("page", MADE_PAGES, ids=lambda path: path.stem)
def test_a_pages_tables_are_current(page):
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"<!-- made: (.+?) -->", text)
    assert [found["name"] for found in MADE.finditer(text)] == named, "each mark has its `<!-- end -->`"
    assert set(named) <= set(TABLES), "each mark names a table of docs/tables.py"
    assert remake(text) == text, f"{page.name} is out of date: run `python -m docs.tables`"


@pytest.mark.parametrize("name", TABLES)
def test_every_table_stands_on_a_page(name):
    assert any(f"<!-- made: {name} -->" in page.read_text(encoding="utf-8") for page in MADE_PAGES)


def test_only_what_stands_between_the_marks_is_made_anew():
    page = "before\n\n<!-- made: output formats -->\nold\n<!-- end -->\n\nafter | it |\n"
    made = remake(page)
    assert made.startswith("before\n\n<!-- made: output formats -->\n\n| ")
    assert made.endswith(" |\n\n<!-- end -->\n\nafter | it |\n")
    assert "old" not in made
    assert remake(made) == made
