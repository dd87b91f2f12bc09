"""Which code is running."""

import os
import shutil
import subprocess
from pathlib import Path

#: Set in an image, where no git repo is.
CODE_REVISION_VARIABLE = "LESIONFLOW_CODE_REVISION"
UNKNOWN = "unknown"
TIMEOUT_S = 10


def code_revision(folder: Path | None = None) -> str:
    """Return the git commit that the package was loaded from.

    Args:
        folder: Where the code lies; the package's own folder when None.

    Returns:
        The commit, with `-dirty` where tracked files were changed since; what `LESIONFLOW_CODE_REVISION` says, when
        set; `unknown` for an installed package.
    """
    if stated := os.environ.get(CODE_REVISION_VARIABLE):
        return stated
    where, git = folder or Path(__file__).resolve().parent, shutil.which("git")
    # An installed package may lie in somebody else's repo: that commit would say nothing about our code.
    if git is None or "site-packages" in where.parts:
        return UNKNOWN
    command = [git, "-C", str(where), "describe", "--always", "--dirty", "--exclude=*", "--abbrev=40"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIMEOUT_S)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return UNKNOWN
    return answer.stdout.strip()
