"""The change plan: make it, show it in words, check it, write it as a document with the decisions taken by it."""

import argparse
import sys
from pathlib import Path
from typing import Any

from lesionflow.config import load_params
from lesionflow.config.change_plan import CHANGE_PLAN
from lesionflow.workspace.change_plan_file import make_change_plan, read_fitting_plan
from lesionflow.workspace.layout import PATHS, require_workspace
from lesionflow.workspace.params_file import PARAMS

DOCUMENT = "reports/change_plan"


def add_commands(commands: Any) -> None:
    """Add `change-plan`."""
    plan = commands.add_parser(
        "change-plan", help="what a new model may change and must show: make, show, check, document"
    )
    actions = plan.add_subparsers(required=True, metavar="ACTION")
    for name, function, words in (
        ("make", _make, f"lay the preset's {CHANGE_PLAN} beside params.yaml, in a workspace that has none"),
        ("show", _show, "say in words what it asks for"),
        ("check", _check, "does it fit the params, and is it the plan that was last decided by?"),
        ("document", _document, "write it with the decisions taken by it, as a page and as Markdown, to be filed"),
    ):
        action = actions.add_parser(name, help=words)
        action.add_argument("--workdir", type=Path, default=Path(), help="the workspace")
        if name == "document":
            action.add_argument("--out", type=Path, help=f"beginning of both files' names (default {DOCUMENT})")
        action.set_defaults(run=function)


def _make(parsed: argparse.Namespace) -> int:
    require_workspace(parsed.workdir)
    told = make_change_plan(parsed.workdir)
    path = parsed.workdir / CHANGE_PLAN
    sys.stdout.write(
        f"{told}. Look at {path} before a model is judged by it.\n"
        if told
        else f"{path} is there already; nothing was changed.\n"
    )
    return 0


def _show(parsed: argparse.Namespace) -> int:
    from lesionflow.evaluation.promotion_documents.change_plan_document import describe_plan
    from lesionflow.evaluation.promotion_documents.chapters import to_markdown
    from lesionflow.steps.promote.document_facts import surroundings

    plan = read_fitting_plan(parsed.workdir)
    about = surroundings(
        plan, load_params(parsed.workdir / PARAMS), parsed.workdir / PATHS["splits"], parsed.workdir / PATHS["cases"]
    )
    sys.stdout.write(to_markdown(f"Change plan of {about.model_name}", describe_plan(plan, about)))
    return 0


def _check(parsed: argparse.Namespace) -> int:
    from lesionflow.steps.promote.document_facts import decisions_of

    require_workspace(parsed.workdir)
    plan = read_fitting_plan(parsed.workdir)
    sys.stdout.write(
        f"{parsed.workdir / CHANGE_PLAN} fits the params: number {plan.version}, sha256 {plan.digest:.12}.\n"
    )
    name = str(load_params(parsed.workdir / PARAMS)["promote"]["model_name"])
    decisions = decisions_of(parsed.workdir / PATHS["splits"], name)
    same_number = [one for one in decisions if one.change_plan_version == plan.version]
    if any(one.change_plan_sha256 != plan.digest for one in same_number):
        sys.stdout.write(
            f"It says something else than when number {plan.version} was decided by: raise `version`, so that each decision names the plan it was "
            "taken by.\n"
        )
        return 1
    if not plan.claim:
        sys.stdout.write("It claims nothing (`claim: false`): a demonstration, not evidence.\n")
    return 0


def _document(parsed: argparse.Namespace) -> int:
    from lesionflow.evaluation.promotion_documents.change_plan_document import document_chapters
    from lesionflow.evaluation.promotion_documents.chapters import to_html, to_markdown
    from lesionflow.io.files import write_text
    from lesionflow.steps.promote.document_facts import decisions_taken, surroundings

    require_workspace(parsed.workdir)
    plan, splits = read_fitting_plan(parsed.workdir), parsed.workdir / PATHS["splits"]
    about = surroundings(plan, load_params(parsed.workdir / PARAMS), splits, parsed.workdir / PATHS["cases"])
    chapters = document_chapters(plan, about, decisions_taken(splits, about.model_name))
    title, out = f"Change plan of {about.model_name}", parsed.out or parsed.workdir / DOCUMENT
    for path, text in (
        (out.with_suffix(".html"), to_html(title, chapters)),
        (out.with_suffix(".md"), to_markdown(title, chapters)),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
        sys.stdout.write(f"{path}\n")
    return 0
