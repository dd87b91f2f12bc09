"""The pieces of a report: one HTML page that needs nothing beside it."""

import base64
import html
import math
from collections.abc import Sequence
from importlib import resources
from typing import NamedTuple

from lesionflow.evaluation.statistics import Estimate
from lesionflow.metrics import METRICS
from lesionflow.metrics.display_names import head_of, spell_metric

NO_FIGURE = "–"


class Picture(NamedTuple):
    """A PNG with its caption."""

    caption: str
    png: bytes


class Cell(NamedTuple):
    """What a cell shows, what it sorts by, and whether it holds words, which stand at the left, or many of them."""

    text: str
    sort_by: str = ""
    kind: str = ""
    link: str = ""


def page(title: str, parts: Sequence[str]) -> str:
    """Return a whole HTML page of parts that are HTML already."""
    style, script = (
        resources.files(__package__).joinpath(f"report.{kind}").read_text("utf-8") for kind in ("css", "js")
    )
    head = (
        "<meta charset='utf-8'><meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{html.escape(title)}</title><style>\n{style}</style>"
    )
    body = "\n".join(part for part in parts if part)
    return f"<!doctype html>\n<html lang='en'><head>{head}</head><body>\n{body}\n<script>\n{script}</script></body></html>\n"


def table(heads: Sequence[str], rows: Sequence[Sequence[Cell | str]], *, sortable: bool = False) -> str:
    """Return a table that scrolls by itself on a narrow screen; plain strings are words."""
    cells = [[cell if isinstance(cell, Cell) else words(cell) for cell in row] for row in rows]
    kinds = [cell.kind for cell in cells[0]] if cells else ["words"] * len(heads)
    head = "".join(
        f"<th class='words' scope='col'>{_heading(text, sortable)}</th>"
        if kind
        else f"<th scope='col'>{_heading(text, sortable)}</th>"
        for text, kind in zip(heads, kinds, strict=True)
    )
    body = "".join(f"<tr>{''.join(_cell(cell, sortable) for cell in row)}</tr>" for row in cells)
    name = " class='sortable'" if sortable else ""
    return f"<div class='scroll'><table{name}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def words(text: object, link: str = "") -> Cell:
    """Return a cell of words."""
    shown = str(text)
    return Cell(shown, shown, "long" if len(shown) > 40 else "words", link)


def figure_cell(value: float, unit: str = "") -> Cell:
    """Return a cell of a figure; an undefined one sorts last."""
    # JavaScript writes infinity out.
    return Cell(number(value, unit), "" if math.isnan(value) else repr(float(value)).replace("inf", "Infinity"))


def picture(shown: Picture, *, wide: bool = False, anchor: str = "") -> str:
    """Return a picture held in the page itself."""
    content, caption = base64.b64encode(shown.png).decode(), html.escape(shown.caption)
    name = (" class='wide'" if wide else "") + (f" id='{html.escape(anchor)}'" if anchor else "")
    return f"<figure{name}><img alt='{caption}' src='data:image/png;base64,{content}'><figcaption>{caption}</figcaption></figure>"


def tile(metric: str, estimate: Estimate, with_tumor: Estimate | None = None) -> str:
    """Return a headline: the metric, its mean, its interval, its patients; and its mean of those with a tumor, where some have none."""
    unit = METRICS[metric].unit
    undefined = f", {_counted(estimate.n_undefined, 'case')} undefined" if estimate.n_undefined else ""
    if estimate.n_missed or estimate.n_false_alarms:
        undefined = f"<br><b>{html.escape(estimate.left_out())}</b>"
    shown = f" {unit}" if unit in {"mm", "ml"} and estimate.n else ""
    if with_tumor is not None:
        of = f"{number(with_tumor.mean, unit)}{shown} ({interval(with_tumor, unit)})"
        undefined += f"<br><b>{of} in {_counted(with_tumor.n, 'patient')} with a tumor</b>"
    return (
        f"<div class='tile'><span>{html.escape(title_of(metric, unit=False))}</span><b>{number(estimate.mean, unit)}{shown}</b>"
        f"<small>{interval(estimate, unit)}<br>{_counted(estimate.n, 'patient')}{undefined}</small></div>"
    )


def interval(estimate: Estimate, unit: str = "") -> str:
    """Return `low to high`."""
    if math.isnan(estimate.low):
        return NO_FIGURE
    return f"{number(estimate.low, unit)} to {number(estimate.high, unit)}"


def number(value: float, unit: str = "") -> str:
    """Return a figure as people read it: shares with three decimals, others with about three digits."""
    if math.isnan(value):
        return NO_FIGURE
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == int(value) and (unit == "count" or abs(value) >= 1000):
        return f"{value:,.0f}".replace("-", "−")
    decimals = 3 if not unit else (0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2)
    return f"{value:.{decimals}f}".replace("-", "−")


def title_of(name: str, *, unit: bool = True) -> str:
    """Return a metric's or column's name as people write it, with its unit."""
    ending = name.rpartition("_")[2]
    return head_of(spell_metric(name)) + (f" ({ending})" if unit and ending in {"mm", "ml"} else "")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _heading(text: str, sortable: bool) -> str:  # noqa: FBT001
    shown = html.escape(text)
    return f"<button type='button'>{shown}</button>" if sortable else shown


def _cell(cell: Cell, sortable: bool) -> str:  # noqa: FBT001
    shown = html.escape(cell.text)
    if cell.link:
        shown = f"<a href='#{html.escape(cell.link)}'>{shown}</a>"
    attributes = (f" class='{cell.kind}'" if cell.kind else "") + (
        f" data-v='{html.escape(cell.sort_by)}'" if sortable else ""
    )
    return f"<td{attributes}>{shown}</td>"
