"""A person at a terminal, before a folder with a workspace."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import yaml


class Told(NamedTuple):
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


class Terminal:
    """A person before a folder with a workspace `work`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.work = folder, folder / "work"
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_TRACKING", "LESIONFLOW_"))
        }
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        # Of a key drawn anew, patients would be divided otherwise in each run.
        kept["LESIONFLOW_PSEUDONYM_KEY"] = "5" * 64
        self.environment = {**kept, "LESIONFLOW_PRIVATE_DIR": str(folder / "private"), "COLUMNS": "400", "PATH": path}

    def give(self, *words: str, code: int = 0) -> Told:
        done = subprocess.run(
            [sys.executable, "-m", "lesionflow", *words],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        with (self.folder / "story.txt").open("a") as story:
            story.write(f"$ lesionflow {' '.join(words)}\n{done.stdout}{done.stderr}[{done.returncode}]\n\n")
        assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
        return Told(done.returncode, done.stdout, done.stderr)

    def in_work(self, *words: str, code: int = 0) -> Told:
        return self.give(*words, "--workdir", "work", code=code)

    def kill_after(self, seconds: float, *words: str) -> bool:
        """Give a command and kill it, with all that it started; whether it had not ended before."""
        with subprocess.Popen(
            [sys.executable, "-m", "lesionflow", *words, "--workdir", "work"],
            cwd=self.folder, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        ) as process:  # fmt: skip
            time.sleep(seconds)
            ended = process.poll() is not None
            if not ended:
                os.killpg(process.pid, signal.SIGKILL)
        return not ended

    def edit(self, file: str, **changes: object) -> None:
        path = self.work / file
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        for key, value in changes.items():
            content[key] = content[key] | value if isinstance(value, dict) else value
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def version(self, name: str) -> dict[str, object]:
        return json.loads(self.in_work("models", "show", name).out)

    def ledger(self, *kinds: str) -> list[dict[str, object]]:
        lines = (self.work / "data" / "ledger.jsonl").read_text(encoding="utf-8").splitlines()
        entries = [json.loads(line) for line in lines]
        return [entry["facts"] for entry in entries if entry["kind"] in kinds]

    def page(self, name: str) -> str:
        return (self.work / "reports" / name).read_text(encoding="utf-8")
