"""The command line: one sub-command a step, and what people do around them. It parses and prints; what is done belongs to the rooms below."""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from lesionflow import __version__
from lesionflow.cli import (
    change_plan_commands,
    compare_commands,
    demo_command,
    doctor_command,
    model_commands,
    params_commands,
    predict_command,
    trace_command,
    ui_command,
    workspace_commands,
)
from lesionflow.cli.bundles import keys_commands
from lesionflow.cli.cohort import data_commands
from lesionflow.cli.exchange import export_commands, masks_commands, pacs_command
from lesionflow.cli.machine_faults import explain
from lesionflow.cli.parser import Parser, WordedFormatter, keep_wording
from lesionflow.cli.retraining import retrain_command, state_command
from lesionflow.config import IngestConfig, Settings, load_params, load_section
from lesionflow.config.presets import find_params
from lesionflow.errors import DataQualityError, LesionFlowError
from lesionflow.machine.threads import limit_library_threads
from lesionflow.steps import STEPS, run_step
from lesionflow.workspace.decision_text import decision_text
from lesionflow.workspace.run import WITHIN_RUN

#: Ctrl-C, as shells count it.
INTERRUPTED = 130
#: Set, an error shows where in the code it was raised.
DEBUG = "LESIONFLOW_DEBUG"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: Without the program's name; the process's own, if not given.

    Returns:
        The exit code: 0, or that of the error (see `lesionflow.errors`).
    """
    parser = _parser()
    parsed = parser.parse_args(arguments)
    words = keep_wording(parsed, parser.takes)
    said = logging.StreamHandler(sys.stderr)
    said.setFormatter(WordedFormatter(words))
    logging.basicConfig(level=os.environ.get("LESIONFLOW_LOG", "INFO"), handlers=[said])
    for noisy in ("numexpr", "great_expectations", "alembic", "mlflow", "httpx", "matplotlib", "highdicom"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    limit_library_threads()
    try:
        return int(parsed.run(parsed) or 0)
    except LesionFlowError as error:
        return _tell(error, words)
    except BrokenPipeError:
        # Who reads has seen enough, as `head` has; Python must not complain of it once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OSError, MemoryError, ImportError) as error:
        if (fault := explain(error)) is None:
            raise
        return _tell(fault, words)
    except KeyboardInterrupt:
        sys.stderr.write("lesionflow: stopped. Give the same command again to go on.\n")
        return INTERRUPTED


def _tell(error: LesionFlowError, words: Callable[[str], str]) -> int:
    """Say what went wrong, and give its exit code."""
    if os.environ.get(DEBUG):
        raise error
    reason = getattr(error, "reason", "") or getattr(error, "code", "")
    sys.stderr.write(f"lesionflow: {type(error).__name__}{f' ({reason})' if reason else ''}: {words(str(error))}\n")
    return error.exit_code


def _parser() -> Parser:
    parser = Parser(
        prog="lesionflow", description="Versioned, outlined studies in; a served tumor-segmentation model out."
    )
    parser.add_argument("--version", action="version", version=f"lesionflow {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    workspace_commands.add_commands(commands)
    retrain_command.add_commands(commands)
    state_command.add_commands(commands)
    data_commands.add_commands(commands)
    predict_command.add_commands(commands)
    export_commands.add_commands(commands)
    model_commands.add_commands(commands)
    pacs_command.add_commands(commands)
    trace_command.add_commands(commands)
    ui_command.add_commands(commands)
    compare_commands.add_commands(commands)
    params_commands.add_commands(commands)
    change_plan_commands.add_commands(commands)
    doctor_command.add_commands(commands)
    keys_commands.add_commands(commands)
    demo_command.add_commands(commands)
    for name, step in STEPS.items():
        command = commands.add_parser(name, help=f"step: {step.summary}", description=step.summary)
        takes_masks = name == "evaluate"
        command.add_argument("--params", required=not takes_masks, help="a params file, or the name of a preset")
        for key in (*step.inputs, *step.outputs):
            command.add_argument(f"--{key}", required=not takes_masks, type=Path, metavar="PATH")
        command.set_defaults(run=_run_step, step=name)
        if takes_masks:
            masks_commands.add_options(command)
            command.set_defaults(run=partial(_evaluate, command))
        if name == "ingest":
            words = "write a page to look through: what was taken as what, what was refused and why"
            command.add_argument("--report", type=Path, metavar="PAGE", help=words)
        if name == "plan":
            words = "say whether the plan of this model (an alias, a version or a bundle's folder) still fits the data"
            command.add_argument("--diff", metavar="MODEL", help=words)
    return parser


def _evaluate(command: argparse.ArgumentParser, parsed: argparse.Namespace) -> int:
    if parsed.masks is not None:
        return masks_commands.evaluate_folder(parsed)
    step = STEPS["evaluate"]
    if lost := [key for key in ("params", *step.inputs, *step.outputs) if getattr(parsed, key) is None]:
        command.error(f"the following arguments are required: {', '.join(f'--{key}' for key in lost)}")
    return _run_step(parsed)


def _run_step(parsed: argparse.Namespace) -> int:
    name: str = parsed.step
    step = STEPS[name]
    params = load_params(find_params(parsed.params))[name]
    inputs, outputs = ({key: getattr(parsed, key) for key in keys} for keys in (step.inputs, step.outputs))
    with _reported(parsed, params):
        counts = run_step(name, params, inputs, outputs)
    sys.stdout.write(f"{name}: " + ", ".join(f"{key} {value:g}" for key, value in counts.items()) + "\n")
    if getattr(parsed, "diff", None):
        _diff_plan(parsed)
    if name == "promote" and WITHIN_RUN not in os.environ:
        sys.stdout.write(decision_text(outputs["promotion"]))
    return 0


@contextmanager
def _reported(parsed: argparse.Namespace, params: Mapping[str, object]) -> Iterator[None]:
    """Write the page that was asked for, also where too many studies were refused: then it is needed most."""
    try:
        yield
    except DataQualityError:
        _write_page(parsed, params)
        raise
    _write_page(parsed, params)


def _write_page(parsed: argparse.Namespace, params: Mapping[str, object]) -> None:
    if getattr(parsed, "report", None):
        from lesionflow.io.files import write_text
        from lesionflow.steps.ingest.step import report

        write_text(parsed.report, report(load_section(IngestConfig, params, "ingest"), parsed.cases, Settings()))
        sys.stdout.write(f"What was read, to look through: {parsed.report}\n")


def _diff_plan(parsed: argparse.Namespace) -> None:
    from lesionflow.steps.plan.step import diff_with

    model_name = str(load_params(find_params(parsed.params))["register"]["model_name"])
    fits = diff_with(parsed.diff, model_name, parsed.plan, Settings().tracking_uri)
    verdict = "still fits" if fits else "no longer fits: train anew on the new plan"
    sys.stdout.write(f"The plan of {parsed.diff} {verdict}.\n")
