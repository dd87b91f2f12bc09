"""`python -m lesionflow.pacs`: what `lesionflow pacs` becomes."""

import argparse
import logging
import sys
import tempfile
from pathlib import Path

from lesionflow.errors import ConfigError, LesionFlowError
from lesionflow.machine.extras import require
from lesionflow.pacs.network_config import Destination, NetworkConfig, read_network_config


def _main() -> int:
    """Run one command; return the exit code."""
    parser = argparse.ArgumentParser(prog="lesionflow pacs")
    parser.add_argument("action", choices=("listen", "send", "fetch"))
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--at", default="", help="a destination of the file")
    parser.add_argument("--study", default="", help="a Study Instance UID")
    parser.add_argument("files", nargs="*", type=Path)
    parsed = parser.parse_args()
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s", stream=sys.stderr)
    for noisy in ("pynetdicom", "httpx"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    try:
        require("pynetdicom")
        config = read_network_config(parsed.config)
        {"listen": _listen, "send": _send, "fetch": _fetch}[parsed.action](config, parsed)
    except LesionFlowError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


def _listen(config: NetworkConfig, _: argparse.Namespace) -> None:
    from lesionflow.pacs.listening import listen_until_stopped

    listen_until_stopped(config)


def _send(config: NetworkConfig, parsed: argparse.Namespace) -> None:
    from lesionflow.pacs.delivery import deliver

    for path in parsed.files:
        deliver(path, _place(config, parsed.at), config.listen.ae_title)


def _fetch(config: NetworkConfig, parsed: argparse.Namespace) -> None:
    from lesionflow.pacs.fetching import fetch_study

    with tempfile.TemporaryDirectory(dir=config.spool if config.spool.is_dir() else None) as folder:
        n = fetch_study(config, _place(config, parsed.at), parsed.study, Path(folder))
    sys.stdout.write(f"{n} objects were fetched: the receiver takes them up\n")


def _place(config: NetworkConfig, name: str) -> Destination:
    if name not in config.destinations:
        known = ", ".join(config.destinations) or "none"
        raise ConfigError(f"Expected --at to name one of the file's destinations ({known}), found {name!r:.80}.")
    return config.destinations[name]


if __name__ == "__main__":
    sys.exit(_main())
