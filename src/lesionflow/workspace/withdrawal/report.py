"""What a withdrawal did, what it could not do, and what it obliges to: kept in the workspace, naming nobody."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lesionflow.io.files import parse_json, write_text
from lesionflow.machine.faults import blame_machine
from lesionflow.registry.erasure import Learned

FOLDER = Path("reports") / "withdrawals"
#: Digits of a tombstone that name a report.
N_DIGITS = 16
#: What goes on in a pipeline's own outputs, which no store of ours holds.
KUBEFLOW = "outputs of earlier pipeline runs, in Kubeflow's artifact store: delete them by run"
UNNAMED_STORE = (
    "a project store of a pipeline on Kubeflow, if there is one: give the command again with --project-store ADDRESS"
)


class Withdrawal(NamedTuple):
    """One withdrawal.

    Args:
        mark: The tombstone.
        n_cases: Studies that were withdrawn.
        removed: How many files, objects or rows went, by place.
        kept: What can't go or could not be reached, each with what to do.
        learned: Versions that learned from the patient, each as `NAME version NUMBER: how`.
        obligations: What each of them obliges to, in a sentence each, which begins with `NAME version NUMBER`.
    """

    mark: str
    n_cases: int
    removed: Mapping[str, int]
    kept: Sequence[str]
    learned: Sequence[str]
    obligations: Sequence[str]

    @classmethod
    def of(
        cls, mark: str, n_cases: int, removed: Mapping[str, int], kept: Sequence[str], learned: Sequence[Learned]
    ) -> "Withdrawal":
        """Put in words which versions learned from the patient, and what that obliges to."""
        told = [f"{of.version.model_name} version {of.version.version}: {of.how}" for of in learned]
        return cls(mark, n_cases, removed, tuple(kept), tuple(told), tuple(_obligation(of) for of in learned))

    def facts(self) -> dict[str, object]:
        """Return what the ledger keeps: the patient by tombstone alone."""
        return {
            "patient": self.mark,
            "n_cases": self.n_cases,
            "removed": dict(self.removed),
            "learned": list(self.learned),
        }

    def after(self, before: "Withdrawal") -> "Withdrawal":
        """Join a later call of one withdrawal to what was told before: nothing that was told is lost, what went is added up.

        Args:
            before: What the report says already, of the same patient.
        """
        places = dict.fromkeys((*before.removed, *self.removed))
        # The later call may know fewer words of the patient, and so find less: what was found stays.
        kept = tuple(dict.fromkeys((*before.kept, *self.kept)))
        return self._replace(
            n_cases=max(before.n_cases, self.n_cases),
            removed={place: before.removed.get(place, 0) + self.removed.get(place, 0) for place in places},
            # Once a store was named and cleaned, nobody needs to be asked for one.
            kept=tuple(line for line in kept if line != UNNAMED_STORE or KUBEFLOW not in kept),
            learned=_newer_by_version(before.learned, self.learned),
            obligations=_newer_by_version(before.obligations, self.obligations),
        )


def _newer_by_version(before: Sequence[str], now: Sequence[str]) -> tuple[str, ...]:
    """Return sentences in their order; of those about one version, the newer."""
    return tuple({line.partition(":")[0].partition(" (")[0]: line for line in (*before, *now)}.values())


def report_path(workspace: Path, mark: str) -> Path:
    """Return where the report of a withdrawal lies, by its tombstone."""
    return workspace / FOLDER / f"{mark[:N_DIGITS]}.md"


def write_report(workspace: Path, withdrawal: Withdrawal) -> Path:
    """Write the report for programs and for people; return where that for people lies."""
    path = report_path(workspace, withdrawal.mark)
    told = {**withdrawal.facts(), "kept": list(withdrawal.kept), "obligations": list(withdrawal.obligations)}
    write_text(path.with_suffix(".json"), json.dumps(told, indent=1) + "\n")
    write_text(path, _page(withdrawal))
    return path


def read_report(workspace: Path, mark: str) -> Withdrawal | None:
    """Read back what `write_report` wrote for programs; None where there is no report, or it was harmed.

    Args:
        workspace: The workspace.
        mark: The tombstone.
    """
    try:
        told = parse_json(report_path(workspace, mark).with_suffix(".json"))
        return Withdrawal(
            mark,
            int(told["n_cases"]),
            {str(place): int(count) for place, count in told["removed"].items()},
            *(tuple(map(str, told[key])) for key in ("kept", "learned", "obligations")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        blame_machine(error)
        return None


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
        "rollback --name NAME --reason REASON`), or let somebody who answers for it lift the bar. "
    )


def _page(withdrawal: Withdrawal) -> str:
    removed = "\n".join(f"- {place}: {count}" for place, count in withdrawal.removed.items())
    kept = "\n".join(f"- {line}" for line in withdrawal.kept) or "- nothing"
    obliged = (
        "\n".join(f"- {line}" for line in withdrawal.obligations) or "- No registered version learned from the patient."
    )
    return (
        f"# Withdrawal {withdrawal.mark[:N_DIGITS]}\n\n{withdrawal.n_cases} studies. The patient is told by tombstone alone, which the team's "
        f"key gives.\n\n## What went\n\n{removed}\n\n## What can't go, or could not be reached\n\n{kept}\n\n"
        f"## Models that learned from the patient\n\n{obliged}\n"
    )
