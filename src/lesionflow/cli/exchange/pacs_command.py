"""`pacs`: receive studies from a PACS, store results back, fetch studies. What is done belongs to `lesionflow.pacs`, a program of its own."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any


def add_commands(commands: Any) -> None:
    """Add `pacs listen`, `pacs send` and `pacs fetch`."""
    pacs = commands.add_parser("pacs", help="receive studies from a PACS by DICOM, store masks and measurements back")
    actions = pacs.add_subparsers(required=True, metavar="ACTION")
    listen = actions.add_parser(
        "listen", help="receive studies until stopped, have the service segment them, store the results"
    )
    send = actions.add_parser("send", help="store DICOM files at a destination")
    send.add_argument("files", nargs="+", type=Path, help="DICOM files")
    fetch = actions.add_parser(
        "fetch", help="fetch a study by DICOMweb; the receiver takes it up as if it had been sent"
    )
    fetch.add_argument("--study", required=True, help="its Study Instance UID")
    for name, action in (("listen", listen), ("send", send), ("fetch", fetch)):
        action.add_argument("--config", required=True, type=Path, help="the PACS file: peers, rules, destinations")
        action.set_defaults(run=_become, action=name, files=[], study="", at="")
    for action in (send, fetch):
        action.add_argument("--at", required=True, help="a destination of the PACS file")


def _become(parsed: argparse.Namespace) -> int:
    # The receiver is another surface, started as a program of its own: the two never import one another.
    command = [sys.executable, "-m", "lesionflow.pacs", parsed.action, "--config", str(parsed.config)]
    for option in ("at", "study"):
        command += [f"--{option}", getattr(parsed, option)] if getattr(parsed, option) else []
    command += ["--", *map(str, parsed.files)] if parsed.files else []
    sys.stdout.flush()
    # This process becomes the receiver, so that a signal reaches it itself.
    os.execv(command[0], command)  # noqa: S606 - our own command, no shell
