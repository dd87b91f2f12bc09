"""The evaluation as people read it: one HTML file that needs nothing beside it."""

import base64
import html
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from lesionflow.data.bundle import Card
from lesionflow.data.plan import Plan
from lesionflow.evaluation.statistics import Estimate
from lesionflow.metrics import METRICS

#: Columns of the case table, in the order of a reviewer's questions.
CASE_COLUMNS = (
    "dice", "iou", "precision", "recall", "hd95_mm", "assd_mm", "surface_dice_2mm", "reference_ml", "predicted_ml",
    "volume_error_ml", "lesion_recall", "n_false_positive_lesions", "seconds",
)  # fmt: skip

NOTE = (
    "Research use only. Whole volumes, in each study's own space, on the locked test patients. Intervals: bootstrap by "
    "patient."
)
STYLE = """
:root{color-scheme:light}body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:76rem;padding:1rem;color:#1a1a1a}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem;border-bottom:1px solid #bbb}table{border-collapse:collapse;font-size:13px}
th,td{padding:.25rem .6rem;text-align:right;border-bottom:1px solid #ddd;white-space:nowrap}th:first-child,td:first-child{text-align:left}
td.words{white-space:normal;text-align:left}th[data-sort]{cursor:pointer;text-decoration:underline dotted}.scroll{overflow-x:auto}
img{max-width:100%;height:auto}figure{margin:1rem 0}.headline{font-size:1.9rem;font-weight:600}.note{color:#555;font-size:13px}
@media print{.scroll{overflow:visible}h2{break-after:avoid}figure{break-inside:avoid}}
"""
SCRIPT = """
document.querySelectorAll('th[data-sort]').forEach(th=>th.addEventListener('click',()=>{const t=th.closest('table'),i=th.cellIndex,
b=t.tBodies[0],d=th.dataset.sort==='up'?-1:1;th.dataset.sort=d>0?'up':'down';[...b.rows].sort((x,y)=>{const a=x.cells[i].dataset.v,
c=y.cells[i].dataset.v;return d*(isNaN(a)||isNaN(c)?a.localeCompare(c):a-c)}).forEach(r=>b.append(r))}));
"""


class Picture(NamedTuple):
    """A PNG with its caption."""

    caption: str
    png: bytes


def render_report(
    title: str,
    plan: Plan,
    card: Card,
    table: pd.DataFrame,
    estimates: Mapping[str, Mapping[str, Estimate]],
    figures: Sequence[Picture],
    cases: Sequence[Picture],
) -> str:
    """Render the report.

    Args:
        title: Its heading.
        plan: The model's plan.
        card: Where the model came from.
        table: One row a case and target.
        estimates: By target, then by metric.
        figures: Pictures of all cases together.
        cases: Pictures of single cases, worst first.

    Returns:
        A whole HTML page.
    """
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p class='note'>{NOTE}</p>",
        *(_headline(target, found) for target, found in estimates.items()),
        "<h2>Figures</h2>",
        *(_figure(picture) for picture in figures),
        "<h2>Cases</h2><p class='note'>Click a heading to sort.</p>",
        _case_table(table),
        "<h2>Worst cases first</h2>",
        *(_figure(picture) for picture in cases),
        "<h2>The plan</h2>",
        _rows([("decision", "value", "why"), *((d.what, d.value, d.why) for d in plan.decisions)]),
        "<h2>Where the model came from</h2>",
        _rows([("what", "value"), *_lineage(card)]),
        "<h2>What the metrics mean</h2>",
        _rows([("metric", "unit", "better", "empty masks"), *_meanings()]),
    ]
    head = (
        f"<meta charset='utf-8'><meta name='viewport' content='width=device-width'><title>{html.escape(title)}</title>"
    )
    body = "\n".join(parts)
    return f"<!doctype html><html lang='en'><head>{head}<style>{STYLE}</style></head><body>{body}<script>{SCRIPT}</script></body></html>\n"


def _headline(target: str, found: Mapping[str, Estimate]) -> str:
    dice = found["dice"]
    rows: list[tuple[str, ...]] = [("metric", "mean", "interval", "patients", "undefined")]
    for name, value in found.items():
        interval = f"{_number(value.low)} to {_number(value.high)}"
        rows.append((_title(name), _number(value.mean), interval, str(value.n), str(value.n_undefined)))
    return (
        f"<h2>{html.escape(target)}</h2><p class='headline'>Dice {dice.mean:.3f} "
        f"<span class='note'>[{dice.low:.3f}, {dice.high:.3f}], {dice.n} patients</span></p>{_rows(rows)}"
    )


def _case_table(table: pd.DataFrame) -> str:
    names = ["case_id", "target", *(c for c in CASE_COLUMNS if c in table)]
    head = "".join(f"<th data-sort=''>{html.escape(_title(name))}</th>" for name in names)
    body = []
    for _, row in table.sort_values("dice").iterrows():
        cells = []
        for name in names:
            value = row[name]
            shown = value if isinstance(value, str) else _number(float(value))
            raw = value if isinstance(value, str) else (-1e9 if math.isnan(float(value)) else float(value))
            cells.append(f"<td data-v='{html.escape(str(raw))}'>{html.escape(str(shown))}</td>")
        body.append(f"<tr>{''.join(cells)}</tr>")
    return f"<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"


def _rows(rows: Sequence[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in rows[0])
    body = "".join(
        f"<tr>{''.join(f'<td class=words>{html.escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows[1:]
    )
    return f"<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _figure(picture: Picture) -> str:
    content = base64.b64encode(picture.png).decode()
    caption = html.escape(picture.caption)
    return f"<figure><img alt='{caption}' src='data:image/png;base64,{content}'><figcaption>{caption}</figcaption></figure>"


def _lineage(card: Card) -> list[tuple[str, ...]]:
    shown = (
        "run_id",
        "tracking_experiment",
        "data_revision",
        "code_revision",
        "lesionflow_version",
        "plan_sha256",
        "epochs",
    )
    rows: list[tuple[str, ...]] = [(name.replace("_", " "), str(getattr(card, name))) for name in shown]
    rows.append(("trained on", f"{len(card.trained_cases)} cases"))
    rows.append(("validated on", f"{len(card.validation_cases)} cases, Dice {card.validation_dice:.3f}"))
    return rows


def _meanings() -> list[tuple[str, ...]]:
    better = {1: "higher", -1: "lower", 0: "near 0"}
    return [(_title(m.name), m.unit or "0 to 1", better[m.direction], m.empty) for m in METRICS.values()]


def _title(name: str) -> str:
    return name.replace("_", " ").replace("hd95", "HD95").replace("assd", "ASSD").replace("iou", "IoU")


def _number(value: float) -> str:
    if math.isnan(value):
        return "undefined"
    return f"{value:.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"
