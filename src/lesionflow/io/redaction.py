"""Whether a file says a word, however it is packed; and the file without all that says it. Nothing is known here of whose word it is."""

import csv
import gzip
import io
import json
import re
import sqlite3
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from lesionflow.io.files import replacing_file

#: How files begin that hold words in another form than as they are.
GZIP, ZIP, PARQUET, SQLITE = b"\x1f\x8b", b"PK\x03\x04", b"PAR1", b"SQLite format 3\0"
#: Archives in one another.
MAX_DEPTH = 4
TABLE_SUFFIXES = (".json", ".csv", ".parquet")


def mentions(path: Path, words: tuple[str, ...]) -> bool:
    """Tell whether a file's name or content says one of some words, also within gzip, zip (npz), Parquet and SQLite.

    Args:
        path: The file.
        words: What is looked for; none is empty.
    """
    if any(word in path.name for word in words):
        return True
    needles = tuple(word.encode() for word in words)
    content = path.read_bytes()
    if content.startswith(SQLITE):
        return any(any(word in line for word in words) for line in _dumped(path))
    return any(needle in part for part in _unpacked(content) for needle in needles)


def redact(path: Path, words: tuple[str, ...]) -> bool:
    """Take out of a file all that says one of some words: rows of tables and entries of JSON, else the file.

    Args:
        path: The file.
        words: What must not be said.

    Returns:
        Whether anything was taken out.
    """
    if not mentions(path, words):
        return False
    named = any(word in path.name for word in words)
    if named or path.suffix not in TABLE_SUFFIXES or not _rewrite(path, words) or mentions(path, words):
        path.unlink(missing_ok=True)
    return True


def without_words(value: Any, words: tuple[str, ...]) -> Any:
    """Return plain values without what says one of some words: a row of plain values goes as a whole, a part goes alone.

    Examples:
        >>> without_words({"folds": [{"train": ["a1", "b1"]}], "rows": [["a1", 0.5], ["b1", 0.6]], "a1": 3}, ("a1",))
        {'folds': [{'train': ['b1']}], 'rows': [['b1', 0.6]]}
    """
    if isinstance(value, dict):
        return {k: without_words(v, words) for k, v in value.items() if not _says(k, words) and not _says(v, words)}
    if isinstance(value, list):
        return [without_words(v, words) for v in value if not _says(v, words) and not _is_row_that_says(v, words)]
    return value


def _says(value: Any, words: tuple[str, ...]) -> bool:
    return isinstance(value, str) and any(word in value for word in words)


def _is_row_that_says(value: Any, words: tuple[str, ...]) -> bool:
    cells = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return not any(isinstance(cell, dict | list) for cell in cells) and any(_says(cell, words) for cell in cells)


def _rewrite(path: Path, words: tuple[str, ...]) -> bool:
    """Write a table without its rows that say a word; return whether it could be read."""
    try:
        if path.suffix == ".json":
            content = json.loads(path.read_text(encoding="utf-8"))
            made = (json.dumps(without_words(content, words), indent=1) + "\n").encode()
        elif path.suffix == ".csv":
            made = _csv_without(path.read_text(encoding="utf-8"), words).encode()
        else:
            made = _parquet_without(path, words)
    except (ValueError, OSError, RecursionError, csv.Error):
        return False
    with replacing_file(path) as partial:
        partial.write_bytes(made)
    return True


def _csv_without(text: str, words: tuple[str, ...]) -> str:
    kept = [row for row in csv.reader(io.StringIO(text, newline="")) if not any(_says(cell, words) for cell in row)]
    made = io.StringIO(newline="")
    csv.writer(made, lineterminator="\n").writerows(kept)
    return made.getvalue()


def _parquet_without(path: Path, words: tuple[str, ...]) -> bytes:
    import pandas as pd

    table = pd.read_parquet(path)
    pattern = "|".join(map(re.escape, words))
    says = table.astype(str).apply(lambda column: column.str.contains(pattern)).any(axis=1)
    made = io.BytesIO()
    table[~says.astype(bool)].to_parquet(made, index=False)
    return made.getvalue()


def _unpacked(content: bytes, depth: int = 0) -> Iterator[bytes]:
    """Yield a content as it is, and all that is packed in it."""
    yield content
    if depth >= MAX_DEPTH:
        return
    try:
        if content.startswith(GZIP):
            yield from _unpacked(gzip.decompress(content), depth + 1)
        elif content.startswith(ZIP):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for name in archive.namelist():
                    yield name.encode()
                    yield from _unpacked(archive.read(name), depth + 1)
        elif content.startswith(PARQUET):
            import pandas as pd

            yield str(pd.read_parquet(io.BytesIO(content)).to_csv()).encode()
    except (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zlib.error, zipfile.BadZipFile):
        # What can't be unpacked says nothing that anybody could read.
        return


def _dumped(path: Path) -> Iterator[str]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        yield from database.iterdump()
