"""What a withdrawal did, what it could not do, and what it obliges to: kept in the workspace, naming nobody."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lesionflow.io.files import write_text
from lesionflow.registry.erasure import Learned

FOLDER = Path("reports") / "withdrawals"
#: Digits of a tombstone that name a report.
N_DIGITS = 16


class Withdrawal(NamedTuple):
    """One withdrawal.

    Args:
        mark: The tombstone.
        n_cases: Studies that were withdrawn.
        removed: How many files, objects or rows went, by place.
        kept: What can't go or could not be reached, each with what to do.
        learned: Versions that learned from the patient.
    """

    mark: str
    n_cases: int
    removed: Mapping[str, int]
    kept: Sequence[str]
    learned: Sequence[Learned]

    def obligations(self) -> tuple[str, ...]:
        """Say what each version obliges to, in a sentence each."""
        return tuple(_obligation(learned) for learned in self.learned)

    def facts(self) -> dict[str, object]:
        """Return what the ledger keeps: the patient by tombstone alone."""
        return {
            "patient": self.mark,
            "n_cases": self.n_cases,
            "removed": dict(self.removed),
            "learned": [f"{of.version.model_name} version {of.version.version}: {of.how}" for of in self.learned],
        }


def report_path(workspace: Path, mark: str) -> Path:
    """Return where the report of a withdrawal lies, by its tombstone."""
    return workspace / FOLDER / f"{mark[:N_DIGITS]}.md"


def write_report(workspace: Path, withdrawal: Withdrawal) -> Path:
    """Write the report for programs and for people; return where that for people lies."""
    path = report_path(workspace, withdrawal.mark)
    told = {**withdrawal.facts(), "kept": list(withdrawal.kept), "obligations": list(withdrawal.obligations())}
    write_text(path.with_suffix(".json"), json.dumps(told, indent=1) + "\n")
    write_text(path, _page(withdrawal))
    return path


def git_history(workspace: Path, words: tuple[str, ...]) -> tuple[str, ...]:
    """Say which commits name a patient; history is other people's too, and nobody rewrites it but they."""
    git = shutil.which("git")
    if git is None or not (workspace / ".git").exists():
        return ()
    pattern = "|".join(word.replace(".", r"\.") for word in words)
    command = [git, "-C", str(workspace), "log", "--all", "--format=%h", "--extended-regexp", f"-G{pattern}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command, no shell
    commits = done.stdout.split()
    if not commits:
        return ()
    return (
        (
            f"git history: commits {', '.join(commits)} name the patient. With everybody's consent: put each pseudonym on a line of a file "
            "and run `git filter-repo --replace-text FILE`, then push by force and let every clone be made anew"
        ),
    )


def _obligation(learned: Learned) -> str:
    version = learned.version
    called = f"{version.model_name} version {version.version}"
    roles = f" (it is {', '.join(version.aliases)})" if version.aliases else ""
    return (
        f"{called}{roles}: {learned.how}. It is barred: neither the gate nor a rollback nor a person makes it champion before "
        f"`lesionflow models lift {version.version} --name NAME --reason REASON`. {_now(version.aliases)}Its bundle names the cases by pseudonym. To let it go: delete the version and its artifacts in MLflow, then `mlflow gc`"
    )


def _now(aliases: Sequence[str]) -> str:
    """Say what the champion obliges to."""
    if "champion" not in aliases:
        return ""
    return (
        "It serves still: train anew without the patient (`lesionflow retrain --from scratch`), go back to an earlier champion (`lesionflow models "
        "rollback`), or let somebody who answers for it lift the bar. "
    )


def _page(withdrawal: Withdrawal) -> str:
    removed = "\n".join(f"- {place}: {count}" for place, count in withdrawal.removed.items())
    kept = "\n".join(f"- {line}" for line in withdrawal.kept) or "- nothing"
    obliged = (
        "\n".join(f"- {line}" for line in withdrawal.obligations())
        or "- No registered version learned from the patient."
    )
    return (
        f"# Withdrawal {withdrawal.mark[:N_DIGITS]}\n\n{withdrawal.n_cases} studies. The patient is told by tombstone alone, which the team's "
        f"key gives.\n\n## What went\n\n{removed}\n\n## What can't go, or could not be reached\n\n{kept}\n\n"
        f"## Models that learned from the patient\n\n{obliged}\n"
    )
