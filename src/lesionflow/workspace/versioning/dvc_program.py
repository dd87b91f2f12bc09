"""How DVC is called: as a program of its own, by the Python that runs us."""

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
