"""Every block of the README, in order, from a fresh folder: what it shows must run as it stands there.

What takes long, needs a network or names things that only the reader has is put in other words by `SHORT`. All of it runs
with LESIONFLOW_TEST_WHOLE=1, as `make test-all` sets it: `WHOLE` alone, the reader's own things, is replaced then.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import yaml

from lesionflow.config.presets import PRESETS
from support.change_plans import write_demonstration_plan

ROOT = Path(__file__).resolve().parents[2]
#: Its language, if any, and the block: what names one is shown, not run.
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
IS_WHOLE = os.environ.get("LESIONFLOW_TEST_WHOLE") == "1"
COPIED = ("Makefile", "pyproject.toml", "requirements.lock", "README.md", "LICENSE", "src", "pipelines", "components")
#: What only the reader has.
WHOLE = {
    "git clone <this repository> lesionflow": "cp -r {copy} lesionflow",
    "/path/to/studies/PATIENT": "{studies}/PHANTOM-0000",
    "/path/to/studies": "{studies}",
    "/path/to/new": "{work}/lesionflow/demo/unseen/dicom",
    "sts_petct": "{params}",
    ":3000": ":{port}",
    "--port 3000": "--port {port}",
    # These run this test, or what tests of their own hold: that they are there is what is asked.
    "make test-all": "make -n test-all > make.log",
    "make test ": "make -n test > make.log ",
    "make docs": "make -n docs > make.log",
    "make release": "make -n release > make.log",
}
#: Whole minutes, or a network.
SHORT = {
    # A workspace by another name: the run that makes one is the demonstration's own, and so are its studies.
    "make demo": "lesionflow demo --cases {cases} --params {params} && ln -s demo work && ln -s {work}/lesionflow/demo/phantoms/dicom {studies}",
    ". .venv/bin/activate": ":",
    "python -m pipelines.retrain --local": "python -m pipelines.retrain --help > retrain.log; : ",
}
N_CASES = 8
pytestmark = [pytest.mark.slow, pytest.mark.timeout(5400 if IS_WHOLE else 2400)]


def blocks() -> list[str]:
    found = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    return [block for language, block in found if not language]


def is_command(block: str) -> bool:
    """Drawings stand in blocks, too."""
    return not block.startswith(("studies ", "cli | "))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def end_session(number: int) -> None:
    """End what the script may have left: each of its jobs is a process group of its own."""
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == number:
                process.kill()
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue


@pytest.fixture(scope="module")
def own_things(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What stands for the reader's own: a copy of the repository, studies, params that train for seconds, a free port."""
    work = tmp_path_factory.mktemp("reader")
    copy = work / "copy"
    copy.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(ROOT / name, copy / name)
    content = yaml.safe_load((PRESETS / "phantom_ct.yaml").read_text(encoding="utf-8"))
    content["plan"] |= {"patch_size": [3, 64, 64], "batch_size": 4}
    content["plan"]["architecture"]["options"] |= {"base_channels": 4, "depth": 2}
    content["train"] |= {"max_epochs": 1, "batches_per_epoch": 4}
    content["split"] |= {"n_folds": 2}
    params = work / "quick.yaml"
    write_demonstration_plan(work)
    params.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    studies = work / "studies"
    return {"work": work, "copy": copy, "studies": studies, "params": params, "port": free_port(), "cases": N_CASES}


def in_other_words(block: str, things: dict[str, object]) -> str:
    for words, instead in (WHOLE if IS_WHOLE else {**SHORT, **WHOLE}).items():
        block = block.replace(words, instead.format(**things))
    return block


def test_every_block_runs_in_order_from_a_fresh_folder(own_things: dict[str, object]) -> None:
    work = own_things["work"]
    assert isinstance(work, Path)
    commands = [in_other_words(block, own_things) for block in blocks() if is_command(block)]
    assert len(commands) >= 6
    if IS_WHOLE:
        subprocess.run(
            [sys.executable, "-m", "lesionflow", "phantom", str(work / "drawn"), "--cases", "24"], check=True
        )
        (work / "drawn" / "dicom").rename(work / "studies")
    script = "set -eo pipefail -m\n" + "".join(f"echo '=== block {n}'\n{text}\n" for n, text in enumerate(commands, 1))
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("COVERAGE", "MLFLOW_TRACKING"))}
    environment = {
        **kept,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": "" if IS_WHOLE else str(ROOT / "src"),
        "LESIONFLOW_PRIVATE_DIR": str(work / "private"),
        "BENTOML_HOME": str(work / "bentoml"),
        "OMP_NUM_THREADS": "1",
    }
    log = work / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=work,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait()
        finally:
            end_session(process.pid)
    said = log.read_text(encoding="utf-8", errors="replace")
    assert code == 0, said[-4000:]
    assert said.count("=== block ") == len(commands)
    made = work / "lesionflow"
    # What the service sent is a DICOM SEG, traced by what it says of itself, as curl keeps no report.
    assert (made / "mask.dcm").read_bytes()[128:132] == b"DICM"
    assert (made / "mask.nii.gz").read_bytes()[:2] == b"\x1f\x8b"
    traced = said[said.rindex("=== block") - 2000 :]
    assert "no version of" not in traced
    assert not (made / "mlflow.db").exists(), "a command that reads made a store"


def test_what_is_put_in_other_words_stands_in_the_readme() -> None:
    """A line that was changed there must not be passed over here."""
    text = "".join(block for block in blocks() if is_command(block))
    assert [words for words in (*SHORT, *WHOLE) if words not in text] == []
