"""Give the compiled pipeline to Kubeflow: once, by a schedule, or whenever the studies have another revision.

python -m pipelines.submit run retrain-cluster.yaml --params params.yaml --set project_store=s3://bucket/project

The address is `--host` or `KF_PIPELINES_ENDPOINT`, the token `KFP_TOKEN`. Each command may be given again: what is there already stays.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from lesionflow.errors import LesionFlowError
from pipelines.submission.arguments import gather_arguments, read_package
from pipelines.submission.kubeflow import Kubeflow
from pipelines.submission.requests import Request, ensure_run, ensure_schedule, ensure_version, run_on_new_data

ENDPOINT, TOKEN = "KF_PIPELINES_ENDPOINT", "KFP_TOKEN"


def main(arguments: Sequence[str] | None = None) -> int:
    """Submit from the command line."""
    parsed = _parser().parse_args(arguments)
    try:
        package = read_package(parsed.package)
        server = Kubeflow(parsed.host or "", os.environ.get(TOKEN, ""), parsed.namespace, ca=parsed.ca)
        given = {}
        if parsed.command != "upload":
            given = gather_arguments(package, parsed.params, parsed.change_plan, parsed.set)
        request = Request(package, given, parsed.experiment)
        commands: dict[str, Callable[[], str]] = {
            "upload": lambda: ensure_version(server, package).said,
            "run": lambda: ensure_run(server, request, again=parsed.again),
            "schedule": lambda: ensure_schedule(server, request, parsed.name, parsed.cron),
            "on-new-data": lambda: run_on_new_data(server, request, again=parsed.again),
        }
        sys.stdout.write(commands[parsed.command]() + "\n")
    except LesionFlowError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipelines.submit", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    about = {
        "upload": "upload the pipeline as a version named by its content",
        "run": "upload, and run it once with these arguments",
        "schedule": "upload, and run it by a schedule, which replaces the one of the same name",
        "on-new-data": "upload, and run it if the repository's studies are not those of an earlier run",
    }
    for name, text in about.items():
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("package", type=Path, help="what `python -m pipelines.compile` wrote")
        command.add_argument("--host", default=os.environ.get(ENDPOINT), help=f"the API's address; or {ENDPOINT}")
        command.add_argument("--namespace", default="", help="of a Kubeflow of several users")
        command.add_argument(
            "--ca", type=Path, help="certificate of who signed the API's, where the system does not know it"
        )
        command.set_defaults(params=None, change_plan=None, set=[], experiment="", again=False)
        if name == "upload":
            continue
        command.add_argument("--experiment", default="lesionflow", help="under which runs stand together")
        command.add_argument("--params", help="a preset's name, or a params file: the steps' sections")
        command.add_argument("--change-plan", type=Path, help="what a new model must show; without, the preset's")
        command.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="any other argument")
        if name == "schedule":
            command.add_argument(
                "--cron", required=True, help="six fields, seconds first: '0 0 3 * * *' is 3:00 each night"
            )
            command.add_argument("--name", default="nightly", help="the schedule's")
        else:
            command.add_argument("--again", action="store_true", help="run although there was such a run")
    return parser


if __name__ == "__main__":
    sys.exit(main())
