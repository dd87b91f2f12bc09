"""What the docs repeat of the code is made from the code: current, whole, and each table in one page."""

import re
from pathlib import Path

import pytest

from docs.tables import MADE, TABLES, remake
from lesionflow.io.layouts.recognition import READERS
from lesionflow.metrics import METRICS
from lesionflow.models import ARCHITECTURES
from lesionflow.training.losses import LOSSES

PAGES = Path(__file__).parents[2] / "docs"
#: What each table must have a row of.
ENTRIES = {"metrics": METRICS, "networks": ARCHITECTURES, "losses": LOSSES, "input layouts": READERS}
ROWS = [(table, entry) for table, entries in ENTRIES.items() for entry in entries]


def tables_of_all_pages() -> list[tuple[str, str]]:
    return [
        (found["name"], found[0])
        for page in sorted(PAGES.rglob("*.md"))
        for found in MADE.finditer(page.read_text("utf-8"))
    ]


@pytest.mark.parametrize("page", sorted(PAGES.rglob("*.md")), ids=lambda page: page.name)
def test_every_table_made_from_the_code_is_current(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert remake(text) == text, (
        f"Run `python -m docs.tables`: {page.relative_to(PAGES.parent)} is not what the code says."
    )


def test_every_table_stands_in_one_page() -> None:
    assert sorted(name for name, _ in tables_of_all_pages()) == sorted(TABLES)


@pytest.mark.parametrize(("table", "entry"), ROWS, ids=[f"{table}: {entry}" for table, entry in ROWS])
def test_every_entry_has_its_row_in_the_docs(table: str, entry: str) -> None:
    (text,) = [text for name, text in tables_of_all_pages() if name == table]
    rows = [line for line in text.splitlines() if line.startswith(f"| `{entry}` |")]
    assert len(rows) == 1, f"Run `python -m docs.tables`: the table {table} has no row of {entry}."
    cells = re.split(r"(?<!\\)\|", rows[0])[1:-1]
    assert cells[1].strip(), f"Expected a sentence about {entry} in the table {table}, found none."


def test_an_outdated_table_is_made_anew_and_the_text_around_it_stays() -> None:
    (current,) = [text for name, text in tables_of_all_pages() if name == "losses"]
    assert "| `tversky` |" in current
    outdated = "before\n<!-- made: losses -->\n| `tversky` | old |\n<!-- end -->\nafter\n"
    assert remake(outdated) == f"before\n{current}\nafter\n"
