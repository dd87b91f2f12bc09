"""From violations to a verdict, and the verdict for machines (`findings.json`) and people (`summary.html`)."""

import html
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from lesionflow.config import Severity
from lesionflow.validation.checks import CHECKS, Rule
from lesionflow.validation.expectations import Violation

#: Cases named in a message or a table for people; the JSON names all.
MAX_NAMED_CASES = 5
MAX_NAMED_VALUES = 12
_STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.4rem .6rem;border-bottom:1px solid #d5dae0;
vertical-align:top}.fail{color:#b42318}.quarantine{color:#9a5b00}.warn{color:#5c5400}.held,.off{color:#4d5761}img{max-width:100%}.scroll{overflow-x:auto}li{overflow-wrap:anywhere}"""


class Finding(NamedTuple):
    """A rule that does not hold, with what follows from it."""

    check: str
    severity: Severity
    expected: str
    advice: str
    case_ids: tuple[str, ...]
    found: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The finding in words."""
        where = f"{len(self.case_ids)} cases ({_some(self.case_ids)})" if self.case_ids else "the case table"
        found = _some(dict.fromkeys(self.found))
        return f"{self.severity}: {self.check}: expected {self.expected}, found {found} in {where}. {self.advice}"


class DataVerdict(NamedTuple):
    """All findings; the cases to leave out, each with its checks; and why the data as a whole are refused, if so."""

    n_cases: int
    findings: tuple[Finding, ...]
    quarantine: Mapping[str, tuple[str, ...]]
    refusals: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The verdict in words, the same on every page."""
        said = f"The data {'failed' if self.refusals else 'passed'} validation"
        counts = Counter(finding.severity for finding in self.findings)
        told = (("warning", "warnings", counts["warn"]), ("case", "cases", len(self.quarantine)))
        parts = [f"{n} {one if n == 1 else several}" for one, several, n in told if n]
        more = " and ".join(parts) + (" in quarantine" if self.quarantine else "")
        return f"{said}{' with ' if more else ''}{more}."


def reach_verdict(
    violations: Iterable[Violation],
    severity: Mapping[str, Severity],
    *,
    n_cases: int,
    max_quarantined_fraction: float,
) -> DataVerdict:
    """Weigh violations.

    Args:
        violations: What Great Expectations found.
        severity: What each check's violation does: `fail`, `quarantine` or `warn`.
        n_cases: Cases in the table.
        max_quarantined_fraction: Beyond it the data as a whole are refused.

    Returns:
        The verdict.
    """
    findings = tuple(_finding(violation, severity) for violation in violations)
    checks: dict[str, dict[str, None]] = {}
    for finding in findings:
        if finding.severity == "quarantine":
            for case_id in finding.case_ids:
                checks.setdefault(case_id, {})[finding.check] = None
    quarantine = {case_id: tuple(checks[case_id]) for case_id in sorted(checks)}
    refusals = [finding.sentence for finding in findings if finding.severity == "fail"]
    if len(quarantine) > max_quarantined_fraction * n_cases:
        refusals.append(
            f"Expected at most {max_quarantined_fraction:.0%} of {n_cases} cases in quarantine "
            f"(`validate.max_quarantined_fraction`), found {len(quarantine)}: {_some(quarantine)}."
        )
    return DataVerdict(n_cases, findings, quarantine, tuple(refusals))


def findings_json(verdict: DataVerdict) -> str:
    """Return all of a verdict but the quarantine as JSON."""
    content = {
        "passed": not verdict.refusals,
        "n_cases": verdict.n_cases,
        "n_quarantined": len(verdict.quarantine),
        "refusals": verdict.refusals,
        "findings": [finding._asdict() for finding in verdict.findings],
    }
    return json.dumps(content, indent=2) + "\n"


def quarantine_json(verdict: DataVerdict) -> str:
    """Return `{case_id: [check, ...]}` as JSON: the cases that no later step may use."""
    return json.dumps(verdict.quarantine, indent=2) + "\n"


def mixes(table: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Count the cases by site, scanner maker, modality, orientation and labels; sites are pseudonyms."""
    columns = {"site": "site", "scanner maker": "manufacturer", "modality": "modality", "orientation": "orientation"}
    counted = {}
    for words, column in {**columns, "labels": "labels_present"}.items():
        values = table[column].fillna("").astype(str).replace("", "not known" if column != "labels_present" else "none")
        counted[words] = {str(name): int(n) for name, n in sorted(values.value_counts().items(), key=_most_first)}
    return counted


def _most_first(entry: tuple[object, int]) -> tuple[int, str]:
    return -entry[1], str(entry[0])


def summary_html(
    verdict: DataVerdict,
    rules: Sequence[Rule],
    severity: Mapping[str, Severity],
    *,
    mixes: Mapping[str, Mapping[str, int]],
    sheets: Sequence[str],
) -> str:
    """Return one page for people: every check, whether it held, what to do where it did not, and what there is to look at.

    Args:
        verdict: What was found.
        rules: What was expected.
        severity: What each check does.
        mixes: Cases by value, for each thing that they differ in.
        sheets: Pictures of all cases, relative to the page.

    Returns:
        HTML that loads nothing but those pictures.
    """
    lines = [f"<li>{html.escape(refusal)}</li>" for refusal in verdict.refusals]
    rows = [_row(check, severity[check], verdict, rules) for check in CHECKS]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Validation of the cases</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><h1>{verdict.sentence}</h1>"
        f"<p>{verdict.n_cases} cases, {len(verdict.quarantine)} of them in quarantine.</p><ul>{''.join(lines)}</ul>"
        "<div class='scroll'><table><tr><th>Check</th><th>Verdict</th><th>Expected</th><th>Cases</th><th>What to do</th></tr>"
        f"{''.join(rows)}</table></div>"
        '<p><a href="data_docs/index.html">Data Docs of Great Expectations</a></p>'
        f"<h2>What the cases are</h2><ul>{''.join(_mix(name, counts) for name, counts in mixes.items())}</ul>"
        f"{_sheets(sheets)}</body></html>\n"
    )


def _mix(name: str, counts: Mapping[str, int]) -> str:
    parts = [f"{value} {number}" for value, number in list(counts.items())[:MAX_NAMED_VALUES]]
    more = f", and {len(counts) - MAX_NAMED_VALUES} others" if len(counts) > MAX_NAMED_VALUES else ""
    return f"<li>{html.escape(name)}: {html.escape(', '.join(parts))}{more}</li>"


def _sheets(sheets: Sequence[str]) -> str:
    if not sheets:
        return ""
    pictures = "".join(
        f'<p><img src="{html.escape(name)}" alt="thumbnails of cases" loading="lazy"></p>' for name in sheets
    )
    return f"<h2>Look through</h2><p>Each case at the slice with most of its outline (orange); findings first.</p>{pictures}"


def _row(check: str, severity: Severity, verdict: DataVerdict, rules: Sequence[Rule]) -> str:
    findings = [finding for finding in verdict.findings if finding.check == check]
    outcome = "off" if severity == "off" else severity if findings else "held"
    broken = [f"{finding.expected}, found {_some(dict.fromkeys(finding.found))}" for finding in findings]
    cases = sorted({case_id for finding in findings for case_id in finding.case_ids})
    expected = broken or [rule.expected for rule in rules if rule.check == check]
    advice = f"{CHECKS[check].meaning} {CHECKS[check].advice}" if findings else ""
    named = f"{len(cases)}: {_some(cases)}" if cases else ""
    cells = (check, outcome, "; ".join(expected), named, advice)
    return f'<tr class="{outcome}">' + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"


def _finding(violation: Violation, severity: Mapping[str, Severity]) -> Finding:
    rule, case_ids, found = violation
    return Finding(rule.check, severity[rule.check], rule.expected, CHECKS[rule.check].advice, case_ids, found)


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - MAX_NAMED_CASES} more" if len(listed) > MAX_NAMED_CASES else ""
    return ", ".join(listed[:MAX_NAMED_CASES]) + more
