"""What the docs repeat of the code is made from the code: current, whole, and each table in one page."""

import re
from pathlib import Path

import pytest

from docs.tables import MADE, PAGES, TABLES, remake
from faults.corpus import FAULTS
from lesionflow.io.layouts.recognition import READERS
from lesionflow.metrics import METRICS
from lesionflow.models import ARCHITECTURES
from lesionflow.prediction.documents import DOCUMENTS
from lesionflow.prediction.writers import WRITERS
from lesionflow.training.losses import LOSSES

ROOT = PAGES.parent
MADE_PAGES = [path for path in sorted(PAGES.rglob("*.md")) if "<!-- made:" in path.read_text(encoding="utf-8")]
#: What each table must have a row of, and the head of the column that says in words what it is.
ENTRIES = {
    "metrics": (METRICS, "what"),
    "networks": (ARCHITECTURES, "what"),
    "losses": (LOSSES, "what is minimized"),
    "input layouts": (READERS, "recognized by"),
    "output formats": (WRITERS, "answer"),
    "report formats": (DOCUMENTS, "answer"),
    "reported faults": ([fault.name for fault in FAULTS], "what lesionflow does"),
}
ROWS = [(table, entry) for table, (entries, _) in ENTRIES.items() for entry in entries]


def tables_of_all_pages() -> list[tuple[str, str]]:
    return [
        (found["name"], found[0]) for page in MADE_PAGES for found in MADE.finditer(page.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize("page", MADE_PAGES, ids=lambda path: path.stem)
def test_a_pages_tables_are_current(page: Path) -> None:
    text, name = page.read_text(encoding="utf-8"), page.relative_to(ROOT)
    named = re.findall(r"<!-- made: (.+?) -->", text)
    closed = [found["name"] for found in MADE.finditer(text)]
    assert closed == named, f"Expected an `<!-- end -->` after each mark of {name}, found it after {closed} of {named}."
    unknown = sorted(set(named) - set(TABLES))
    assert not unknown, f"Expected tables of docs/tables.py in the marks of {name}, found {unknown}."
    assert remake(text) == text, f"Run `make made`: {name} is not what the code says."


def test_every_table_stands_in_one_page() -> None:
    assert sorted(name for name, _ in tables_of_all_pages()) == sorted(TABLES)
    assert set(ENTRIES) == set(TABLES), "Name in ENTRIES what each table of docs/tables.py must have a row of."


@pytest.mark.parametrize(("table", "entry"), ROWS, ids=[f"{table}: {entry}" for table, entry in ROWS])
def test_every_entry_has_its_row_in_the_docs(table: str, entry: str) -> None:
    (text,) = [text for name, text in tables_of_all_pages() if name == table]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [line for line in lines if line.startswith(f"| `{entry}` |")]
    assert len(rows) == 1, f"Run `make made`: the table {table} has no row of {entry}."
    heads, cells = ([cell.strip() for cell in re.split(r"(?<!\\)\|", line)] for line in (lines[0], rows[0]))
    said = cells[heads.index(ENTRIES[table][1])]
    assert said, f"Expected a sentence about {entry} in the table {table}, found none."


def test_only_what_stands_between_the_marks_is_made_anew() -> None:
    (current,) = [text for name, text in tables_of_all_pages() if name == "losses"]
    assert "| `tversky` |" in current
    outdated = "before\n\n<!-- made: losses -->\n| `tversky` | old |\n<!-- end -->\n\nafter | it |\n"
    assert remake(outdated) == f"before\n\n{current}\n\nafter | it |\n"
    assert remake(remake(outdated)) == remake(outdated)
