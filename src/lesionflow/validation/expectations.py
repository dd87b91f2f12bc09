"""The only great_expectations: it judges the case table and writes Data Docs."""

import html
import re
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context.types.base import ProgressBarsConfig

from lesionflow.config import Severity
from lesionflow.errors import ArtifactError
from lesionflow.validation.checks import CHECKS, Rule, columns_of

SITE = "data_docs"
#: Where their first lines tell the outcome: what is replaced stands after the first group.
STATUS = re.compile(r"(<span class=\"h6\"\s*>Status:</span>)\s*<i class=\"fas fa-[^>]*></i>\s*\w+")
#: Figures as Python writes them, in 7 to 17 digits.
LONG_FIGURE = re.compile(r"(?<![\w.#-])-?\d+\.\d{6,}(?:e-?\d+)?(?![\w.])")
LEAST_DIGITS, MOST_DIGITS = 4, 17
PHONE = '<meta name="viewport" content="width=device-width, initial-scale=1">'
#: Data Docs carry a time of their run in names and text. The same data must give the same bytes, so it is this one...
NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
#: ...and where a person would read it, these words.
NO_TIME_WORDS = "not recorded"
#: Scripts, styles and pictures of other servers, and the scripts of the page, which need them.
REMOTE = re.compile(r"<link\b[^>]*href=\"https?:[^>]*>|<script\b.*?</script>|<iframe\b.*?</iframe>", re.DOTALL)
#: What else differs between two runs, or fetches a picture with a run's id from the vendor's server.
LOAD_TIME = re.compile(r"\d{8}T\d{6}\.\d{6}Z(?=</span>|</div>)")
REMOTE_LOGO = re.compile(r"https://great-expectations-web-assets[^\"']*")
RANDOM_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class Violation(NamedTuple):
    """A rule that does not hold: for which cases, and what was found there; a rule of the table has no cases."""

    rule: Rule
    case_ids: tuple[str, ...]
    found: tuple[str, ...]


def judge_table(
    table: pd.DataFrame, rules: Sequence[Rule], docs_folder: Path, severity: Mapping[str, Severity]
) -> tuple[Violation, ...]:
    """Let Great Expectations judge the table.

    Args:
        table: The case table with derived columns. Only `case_id` and the columns of the rules are shown to it, since
            Data Docs repeat values.
        rules: What is expected.
        docs_folder: Where Data Docs go; `index.html` is their first page. Their verdict is `write_verdict`'s.
        severity: What each check does where it does not hold, to stand beside it.

    Returns:
        The rules that do not hold, in the order of `rules`.

    Raises:
        ArtifactError: When the table lacks a column.
    """
    columns = columns_of(tuple(rules))
    missing = [name for name in ("case_id", *columns) if name not in table]
    if missing:
        raise ArtifactError(f"Expected the columns {', '.join(missing)} in the case table, found none. Run ingest.")
    shown = table[list(dict.fromkeys(("case_id", *columns)))].copy()
    with tempfile.TemporaryDirectory(prefix="lesionflow-gx-") as project:
        checkpoint = _make_checkpoint(Path(project), rules, docs_folder, severity)
        results = checkpoint.run(
            batch_parameters={"dataframe": shown}, run_id=RunIdentifier(run_name="case_table", run_time=NO_TIME)
        )
    _make_self_contained(docs_folder)
    (judged,) = results.run_results.values()
    violations = {r.expectation_config.meta["rule"]: _violation(r, rules) for r in judged.results if not r.success}
    return tuple(violations[number] for number in sorted(violations))


def write_verdict(docs_folder: Path, verdict: str) -> None:
    """Write into Data Docs what follows from all that was found.

    By themselves they say `Failed` as soon as one expectation does not hold, were it one that only warns.

    Args:
        docs_folder: What `judge_table` wrote.
        verdict: The sentence that the summary says.
    """
    for page in (docs_folder / "validations").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        page.write_text(STATUS.sub(rf"\g<1> {html.escape(verdict)}", text), encoding="utf-8")


def _make_checkpoint(project: Path, rules: Sequence[Rule], docs_folder: Path, severity: Mapping[str, Severity]) -> Any:
    context = gx.get_context(mode="file", project_root_dir=project)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    for site in context.get_site_names():
        context.delete_data_docs_site(site)
    store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs_folder.absolute())}
    index = {"class_name": "DefaultSiteIndexBuilder"}
    context.add_data_docs_site(SITE, {"class_name": "SiteBuilder", "store_backend": store, "site_index_builder": index})
    asset = context.data_sources.add_pandas("lesionflow").add_dataframe_asset("cases")
    batch = asset.add_batch_definition_whole_dataframe("all")
    expectations = [_expectation(number, rule, severity[rule.check]) for number, rule in enumerate(rules)]
    suite = context.suites.add(gx.ExpectationSuite(name="case_table", expectations=expectations))
    definition = gx.ValidationDefinition(name="case_table", data=batch, suite=suite)
    return context.checkpoints.add(
        gx.Checkpoint(
            name="case_table",
            validation_definitions=[context.validation_definitions.add(definition)],
            actions=[gx.checkpoint.UpdateDataDocsAction(name="docs", site_names=[SITE])],
            result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["case_id"]},
        )
    )


def _expectation(number: int, rule: Rule, severity: Severity) -> Any:
    check = CHECKS[rule.check]
    about = {
        "meta": {"check": rule.check, "rule": number},
        "notes": f"Check `{rule.check}` (if it does not hold: {severity}): {check.meaning} {check.advice}",
    }
    if rule.kind == "between":
        return gxe.ExpectColumnValuesToBeBetween(column=rule.column, min_value=rule.low, max_value=rule.high, **about)
    if rule.kind == "greater":
        return gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A=rule.column, column_B=rule.other, **about)
    if rule.kind == "row_count":
        return gxe.ExpectTableRowCountToBeBetween(min_value=int(rule.low or 0), **about)
    if rule.kind == "unique":
        return gxe.ExpectColumnValuesToBeUnique(column=rule.column, **about)
    if rule.kind == "null":
        return gxe.ExpectColumnValuesToBeNull(column=rule.column, **about)
    return gxe.ExpectColumnValuesToNotBeNull(column=rule.column, **about)


def _violation(result: Any, rules: Sequence[Rule]) -> Violation:
    rule = rules[result.expectation_config.meta["rule"]]
    if result.exception_info.get("raised_exception") is not False:
        message = (
            f"Expected the column {rule.column} to fit check `{rule.check}`, found: {result.exception_info!s:.300}."
        )
        raise ArtifactError(message)
    if rule.kind == "row_count":
        return Violation(rule, (), (str(result.result["observed_value"]),))
    unexpected = result.result["unexpected_index_list"]
    found = {str(entry["case_id"]): show_figure(entry.get(rule.column), rule.low, rule.high) for entry in unexpected}
    if not CHECKS[rule.check].by_case:
        return Violation(rule, (), tuple(sorted(set(found.values()))))
    return Violation(rule, tuple(sorted(found)), tuple(found[case_id] for case_id in sorted(found)))


def show_figure(value: object, *bounds: float | None) -> str:
    """Return a value in four digits, or as many more as tell it from the bounds that it is beyond.

    Examples:
        >>> show_figure(0.3735440931780366, None, 0.1), show_figure(0.1000004, None, 0.1), show_figure(5.0), show_figure("x")
        ('0.3735', '0.1000004', '5', 'x')
    """
    if not isinstance(value, float):
        return str(value)
    near = {bound for bound in bounds if bound is not None and bound != value}
    shown = (f"{value:.{digits}g}" for digits in range(LEAST_DIGITS, MOST_DIGITS))
    return next((text for text in shown if float(text) not in near), repr(value))


def _make_self_contained(docs_folder: Path) -> None:
    """Take out of the pages what differs between two runs and what another server would give, and style them."""
    style = f"<style>{resources.files(__package__).joinpath('data_docs.css').read_text('utf-8')}</style></head>"
    stamp = NO_TIME.strftime("%Y-%m-%dT%H:%M:%SZ")
    for page in docs_folder.rglob("*.html"):
        depth = len(page.relative_to(docs_folder).parts) - 1
        text = page.read_text(encoding="utf-8")
        text = REMOTE_LOGO.sub("../" * depth + "static/images/logo-long.png", text)
        text = LOAD_TIME.sub(NO_TIME_WORDS, RANDOM_ID.sub("", text))
        text = LONG_FIGURE.sub(lambda found: f"{float(found[0]):.{LEAST_DIGITS}g}", text)
        text = REMOTE.sub("", text).replace("</head>", f"{PHONE}{style}", 1)
        page.write_text(text.replace(stamp, NO_TIME_WORDS), encoding="utf-8")
    _write_index(docs_folder, style)


def _write_index(docs_folder: Path, style: str) -> None:
    """Write the first page anew: the vendor's is drawn by its scripts."""
    links = [
        f'<li><a href="{page.relative_to(docs_folder).as_posix()}">{words}</a></li>'
        for folder, words in (("validations", "What held and what did not"), ("expectations", "What is expected"))
        for page in sorted((docs_folder / folder).rglob("*.html"))
    ]
    text = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Data Docs</title>{style}'
    text += f"<body><h1>Data Docs of Great Expectations</h1><ul>{''.join(links)}</ul></body></html>\n"
    (docs_folder / "index.html").write_text(text, encoding="utf-8")
