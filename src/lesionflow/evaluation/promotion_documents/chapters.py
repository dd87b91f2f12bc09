"""Chapters of a document, as one page and as Markdown."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from lesionflow.evaluation.page import page, table

NOTE = (
    "Made by lesionflow from change_plan.yaml and the ledger. lesionflow is for research use; this is no submission and no declaration of "
    "conformity. It gathers in the order of such documents what is decided and kept anyway."
)


@dataclass(frozen=True)
class Chapter:
    """A heading, its sentences, its items, and a table."""

    title: str
    sentences: Sequence[str] = ()
    items: Sequence[str] = ()
    heads: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = field(default=())


def to_markdown(title: str, chapters: Sequence[Chapter]) -> str:
    """Render chapters as Markdown."""
    lines = [f"# {title}", "", NOTE]
    for chapter in chapters:
        lines += ["", f"## {chapter.title}", *(line for sentence in chapter.sentences for line in ("", sentence))]
        lines += ["", *(f"- {item}" for item in chapter.items)] if chapter.items else []
        if chapter.rows:
            lines += ["", _row(chapter.heads), _row(["---"] * len(chapter.heads)), *(_row(row) for row in chapter.rows)]
    return "\n".join(lines) + "\n"


def to_html(title: str, chapters: Sequence[Chapter]) -> str:
    """Render chapters as one page that needs nothing beside it."""
    parts = [f"<h1>{html.escape(title)}</h1>", f"<p class='note'>{html.escape(NOTE)}</p>"]
    for chapter in chapters:
        parts += [
            f"<h2>{html.escape(chapter.title)}</h2>",
            *(f"<p>{_with_code(one)}</p>" for one in chapter.sentences),
        ]
        if chapter.items:
            parts.append(f"<ul>{''.join(f'<li>{_with_code(item)}</li>' for item in chapter.items)}</ul>")
        if chapter.rows:
            parts.append(table(chapter.heads, chapter.rows))
    return page(title, parts)


def _with_code(sentence: str) -> str:
    """Return a sentence as HTML, what stands between backticks as code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", html.escape(sentence))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
