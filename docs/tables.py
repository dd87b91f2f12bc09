"""The tables of these pages that repeat what the code says. `python -m docs.tables` makes them anew, where they stand.

In a page, a table stands between `<!-- made: NAME -->` and `<!-- end -->`, its name a key of `TABLES`.
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from lesionflow.serving.formats import ANSWERS

PAGES = Path(__file__).parent
MADE = re.compile(r"(<!-- made: (?P<name>.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def output_formats() -> str:
    """Return what the service answers with; `predict --format` takes the same but the report."""
    rows = []
    for number, (name, answer) in enumerate(ANSWERS.items()):
        accepted = [*answer.accepted, *(["*/*"] if number == 0 else [])]
        rows.append((f"`{name}`", _codes(accepted), _codes([answer.file_name or ""]), answer.summary))
    return _table(("`?format=`", "`Accept`", "file", "answer"), rows)


#: By the name in a page's mark.
TABLES: Mapping[str, Callable[[], str]] = {
    "output formats": output_formats,
}


def remake(page: str) -> str:
    """Return a page with its tables as the code has them now.

    Raises:
        KeyError: When a mark names no table.
    """
    return MADE.sub(lambda found: f"{found[1]}\n{TABLES[found['name']]()}\n{found[3]}", page)


def main() -> None:
    """Remake the tables of every page; name the pages that changed."""
    for path in sorted(PAGES.rglob("*.md")):
        old = path.read_text(encoding="utf-8")
        new = remake(old)
        if new != old:
            path.write_text(new, encoding="utf-8")
            sys.stdout.write(f"{path.relative_to(PAGES)}\n")


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = tuple(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _codes(texts: Iterable[str]) -> str:
    return ", ".join(f"`{text}`" for text in texts if text)


if __name__ == "__main__":
    main()
