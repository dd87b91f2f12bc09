"""How DVC is called: as a program of its own, by the Python that runs us."""

import re
import sys

from lesionflow.machine.extras import require


def dvc_command(*arguments: str) -> list[str]:
    """Return the command that calls DVC.

    Args:
        arguments: What DVC is told.

    Raises:
        ConfigError: When DVC is not installed; the extra that has it is named.
    """
    require("dvc")
    return [sys.executable, "-m", "dvc", *arguments]


def said_by_dvc(stderr: str, length: int = 300) -> str:
    r"""Return what DVC says of a fault, without the line that leads to its makers' support: they can't know of ours.

    Examples:
        >>> said_by_dvc("ERROR: failed to get 'x'\n\n\x1b[33mHaving any troubles?\x1b[0m Hit us up at \x1b[34mhttps://dvc.org/support\x1b[0m, we are always happy to help!\n")
        "ERROR: failed to get 'x'"
        >>> said_by_dvc("Having any troubles? Hit us up at https://dvc.org/support, we are always happy to help!")
        'nothing more'
    """
    plain = re.sub(r"\x1b\[[0-9;]*m", "", stderr)
    kept = [line for line in plain.splitlines() if "dvc.org/support" not in line]
    return "\n".join(kept).strip()[-length:] or "nothing more"
