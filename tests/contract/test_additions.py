"""What must be touched to add a thing, tried on a copy of the repository: these files are enough, and none may be left out.

An addition is a row of `ADDITIONS`: its files, the tests that hold it, and for each file the test that fails without it and
what that test says.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

REPO = Path(__file__).parents[2]
#: Of the copy: what is imported, run or read by the tests that hold additions.
COPIED = ("src", "tests", "docs", "pyproject.toml", "params.yaml", "dvc.yaml", "components", "pipelines", "README.md")


class Edit(NamedTuple):
    """A change of a file that is there already: some text, found once, becomes another."""

    old: str
    new: str


class Omission(NamedTuple):
    """An addition with a file as it is not right: left out (None) or of other content; the test that fails, and its words."""

    file: str
    instead: str | Edit | None
    test: str
    says: str


class Addition(NamedTuple):
    """A thing that can be added, the files that it takes, the tests that then pass, and what fails without each file.

    `made` says which commands remake what is written by programs: the docs' tables.
    """

    files: Mapping[str, str | Edit]
    tests: tuple[str, ...]
    omissions: tuple[Omission, ...]
    made: tuple[tuple[str, ...], ...] = (("-m", "docs.tables"),)


METRIC = "src/lesionflow/metrics/missed.py"
VALUES = "tests/unit/metrics/test_values.py"
METRIC_TEXT = '''"""What was missed."""

import math

from lesionflow.metrics.overlap import Counts, counts
from lesionflow.metrics.pair import Metric


def n_missed_voxels(voxels: Counts) -> float:
    """Number of the reference's voxels that are not predicted.

    >>> n_missed_voxels(Counts(tp=2, fp=1, fn=3, tn=4))
    3.0
    """
    return float(voxels.fn)


METRICS = (Metric("n_missed_voxels", "voxels", -1, "empty reference: 0", counts, n_missed_voxels, 0.0, math.inf),)
'''

NETWORK = "src/lesionflow/models/networks/plain_unet.py"
NETWORK_TEXT = '''"""A convolution on the way down and one on the way up."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from lesionflow.models.architecture import Architecture
from lesionflow.models.blocks import CONVOLUTIONS, POOLINGS, Dimensions


class PlainUNet(nn.Module):
    """One halving."""

    def __init__(self, in_channels: int, out_channels: int, dimensions: Dimensions, *, base_channels: int) -> None:
        super().__init__()
        convolution = CONVOLUTIONS[dimensions]
        self.down = convolution(in_channels, base_channels, 3, padding=1)
        self.pool = POOLINGS[dimensions](2)
        self.output = convolution(base_channels + in_channels, out_channels, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Map an image to logits of its size."""
        below = functional.interpolate(self.down(self.pool(image)), scale_factor=2, mode="nearest")
        logits: Tensor = self.output(torch.cat([image, below], dim=1))
        return logits


ARCHITECTURE = Architecture(
    name="plain_unet",
    build=PlainUNet,
    dimensions=(2, 3),
    small_options={"base_channels": 4},
    encoder=r"down\\.",
    what="one halving, for tests",
    halvings=1,
)
'''
NETWORKS_TEST = "tests/unit/models/test_architectures.py"

ADDITIONS = {
    "metric": Addition(
        files={
            METRIC: METRIC_TEXT,
            VALUES: Edit("ROWS = {\n", 'ROWS = {\n    "n_missed_voxels": Row(BOXES, 12, 0, 0, 48),\n'),
        },
        tests=(
            VALUES,
            "tests/contract/test_tables.py",
            "tests/contract/test_docstring_examples.py",
        ),
        omissions=(
            Omission(
                VALUES,
                None,
                "test_every_metric_has_its_value_by_hand[n_missed_voxels]",
                "Expected a row for the metric n_missed_voxels in ROWS of tests/unit/metrics/test_values.py, found none: add",
            ),
            Omission(METRIC, None, "test_every_row_is_of_a_metric", "n_missed_voxels"),
            Omission(
                METRIC,
                METRIC_TEXT.replace("0.0, math.inf)", "0.0, 5.0)"),
                "test_no_metric_leaves_its_bounds",
                "Expected n_missed_voxels in 0.0..5.0, found",
            ),
            Omission(
                METRIC,
                METRIC_TEXT.replace("    >>> n_missed_voxels(Counts(tp=2, fp=1, fn=3, tn=4))\n    3.0\n", ""),
                "test_every_metrics_function_has_an_example[n_missed_voxels]",
                "Expected an example with a number computed by hand in the docstring of n_missed_voxels, found none.",
            ),
        ),
    ),
    "network": Addition(
        files={NETWORK: NETWORK_TEXT},
        tests=(NETWORKS_TEST, "tests/contract/test_tables.py"),
        omissions=(
            Omission(
                NETWORK,
                NETWORK_TEXT.partition("ARCHITECTURE =")[0],
                "test_every_network_module_declares_an_architecture_of_its_own[plain_unet]",
                "Expected an Architecture at the top of src/lesionflow/models/networks/plain_unet.py, found 0",
            ),
            Omission(
                NETWORK,
                NETWORK_TEXT.replace("padding=1", "padding=0"),
                "test_logits_have_the_size_of_the_input_and_every_weight_learns[plain_unet-3]",
                "plain_unet",
            ),
            Omission(
                NETWORK,
                NETWORK_TEXT.replace('"one halving, for tests"', '""'),
                "test_every_network_module_declares_an_architecture_of_its_own[plain_unet]",
                "Expected a sentence about plain_unet for the docs (`what`), found none.",
            ),
        ),
    ),
}
OMITTED = [(name, number) for name, addition in ADDITIONS.items() for number in range(len(addition.omissions))]
#: Of the tests of a table, those that look at an entry by its name, and those of the table as a whole.
ABOUT = {"metric": "n_missed_voxels or order or bounds or row", "network": "plain_unet or stand"}


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """Git's files of the repository, or all where there is no git; tests change it and put it back."""
    folder = tmp_path_factory.mktemp("copy")
    for name in _tracked():
        if (REPO / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPO / name, folder / name)
    return folder


def _tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "--", *COPIED], cwd=REPO, capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        return listed.stdout.splitlines()
    found = (path for top in COPIED for path in [REPO / top, *(REPO / top).rglob("*")])
    return [str(path.relative_to(REPO)) for path in found if path.is_file() and "__pycache__" not in path.parts]


def _run(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    # What measures the coverage of these tests shall not measure the copy.
    environment = {name: value for name, value in environment.items() if not name.startswith(("COV_", "COVERAGE_"))}
    return subprocess.run([sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, text=True)


def _write(copy: Path, name: str, content: str | Edit | None) -> None:
    path = copy / name
    if isinstance(content, Edit):
        text = path.read_text(encoding="utf-8")
        assert text.count(content.old) == 1, f"{name} has {text.count(content.old)} times {content.old!r}."
        content = text.replace(content.old, content.new)
    if content is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def _restore(copy: Path, addition: Addition) -> None:
    pages = [str(page.relative_to(REPO)) for page in (REPO / "docs").rglob("*.md")]
    for name in (*addition.files, *pages):
        if (REPO / name).exists():
            shutil.copyfile(REPO / name, copy / name)
        else:
            (copy / name).unlink(missing_ok=True)


def _add(copy: Path, addition: Addition, omission: Omission | None = None) -> None:
    for name, content in addition.files.items():
        _write(copy, name, omission.instead if omission and omission.file == name else content)


def _make(copy: Path, addition: Addition) -> None:
    for command in addition.made:
        done = _run(copy, *command)
        assert done.returncode == 0, done.stderr


def _test(copy: Path, name: str, *tests: str) -> str:
    """Run tests of the copy; those alone that look at what was added."""
    chosen = ["-k", ABOUT[name]] if name in ABOUT else []
    done = _run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:cov", "--tb=short", *chosen, *tests)
    return f"{done.returncode}\n{done.stdout}{done.stderr}"


@pytest.mark.slow
@pytest.mark.parametrize("name", ADDITIONS)
def test_these_files_are_enough_to_add_a(name: str, copy: Path) -> None:
    addition = ADDITIONS[name]
    _add(copy, addition)
    try:
        outdated = _test(copy, name, "tests/contract/test_tables.py")
        assert "Run `python -m docs.tables`" in outdated, outdated
        _make(copy, addition)
        told = _test(copy, name, *addition.tests)
        assert told.startswith("0\n"), told
    finally:
        _restore(copy, addition)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "number"), OMITTED, ids=[f"{name} {number}" for name, number in OMITTED])
def test_what_is_left_out_fails_a_test_that_says_what_to_add(name: str, number: int, copy: Path) -> None:
    addition = ADDITIONS[name]
    omission = addition.omissions[number]
    _add(copy, addition, omission)
    try:
        told = _test(copy, name, *addition.tests)
        assert f"::{omission.test}" in told.partition("short test summary info")[2], told
        assert omission.says in told, told
    finally:
        _restore(copy, addition)
