"""How many single-place changes of a module its tests notice: `make mutants MODULE=metrics.surface`.

    python -m benchmarks.mutants metrics.surface [TESTS ...]

mutmut changes one place of the module at a time in a scratch copy of the repository and runs the tests that reach it:
those of the module's room in tests/unit, or TESTS. A change that no test notices survives: it is the same program in other words, or a
fault that could stand there unseen. It stands outside the lock, which images install: `make mutants` fetches it.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "*cache*", "demo", "work", "site", "dist", "build", "*.egg-info", "mutants"
)
CONFIG = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = ["{module}"]
pytest_add_cli_args_test_selection = {tests}
pytest_add_cli_args = ["-p", "no:xdist", "-p", "no:cacheprovider"]
also_copy = ["tests", "benchmarks", "docs", "README.md"]
mutate_only_covered_lines = true
use_setproctitle = false
"""
MUTMUT = "import sys; sys.path.append({place!r}); from mutmut.__main__ import cli; cli()"


def main(module: str, tests: list[str]) -> None:
    """Change the module in every place, and print the share that tests noticed and what survived."""
    path = "src/lesionflow/" + module.removeprefix("lesionflow.").replace(".", "/") + ".py"
    if not (ROOT / path).is_file():
        raise SystemExit(f"Expected a module of lesionflow, such as metrics.surface, found no {path}.")
    room = Path("tests/unit", *Path(path).parts[2:-1])
    with tempfile.TemporaryDirectory(prefix="lesionflow-mutants-") as scratch:
        copy = Path(scratch) / "copy"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        with (copy / "pyproject.toml").open("a", encoding="utf-8") as config:
            config.write(CONFIG.format(module=path, tests=tests or [str(room)]))
        _mutmut(copy, "run", "--max-children", "2")
        _tell(copy, _mutmut(copy, "results", "--all", "true", quiet=True))


def _mutmut(folder: Path, *arguments: str, quiet: bool = False) -> str:
    code = MUTMUT.format(place=str(ROOT / "build" / "mutmut"))
    command = [sys.executable, "-W", "ignore", "-c", code, *arguments]
    done = subprocess.run(command, cwd=folder, text=True, check=False, stdout=subprocess.PIPE if quiet else None)
    return done.stdout or ""


def _tell(folder: Path, results: str) -> None:
    verdicts = dict(re.findall(r"^\s*(\S+): (.+?)\s*$", results, re.MULTILINE))
    survivors = sorted(name for name, verdict in verdicts.items() if verdict == "survived")
    for name in survivors:
        sys.stdout.write(f"\n{_mutmut(folder, 'show', name, quiet=True)}")
    noticed = sum(verdict in {"killed", "timeout"} for verdict in verdicts.values())
    judged = noticed + len(survivors)
    share = noticed / judged if judged else float("nan")
    sys.stdout.write(f"\n{noticed} of {judged} changes noticed ({share:.0%}); {len(survivors)} survived.\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
