"""What must be touched to add a thing, tried on a copy of the repository: these files are enough, and none may be left out.

An addition is a row of `ADDITIONS`: its files, the tests that hold it, and for each file the tests that fail without it and
what they say. Tables of the docs are no file of it: `python -m docs.tables` makes them.
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
    """A file of an addition left out (None) or wrong: which tests then fail, and what each says."""

    file: str
    instead: str | None
    fails: Mapping[str, str]


class Addition(NamedTuple):
    """A thing that can be added: the files that it takes, the tests that then pass, and what fails where one is left out."""

    files: Mapping[str, str | Edit]
    tests: tuple[str, ...]
    omissions: tuple[Omission, ...]


TABLES = "tests/contract/test_tables.py"
#: Says of pages that they are outdated, until `python -m docs.tables` has been run.
OUTDATED = f"{TABLES}::test_every_entry_has_its_row_in_the_docs"

METRIC = "src/lesionflow/metrics/missed.py"
VALUES = "tests/unit/metrics/test_values.py"
EXAMPLES = "tests/contract/test_docstring_examples.py"
METRIC_EXAMPLE = """    >>> n_missed_voxels(Counts(tp=2, fp=1, fn=3, tn=4))
    3.0
"""
METRIC_TEXT = f'''"""What was missed."""

import math

from lesionflow.metrics.overlap import Counts, counts
from lesionflow.metrics.pair import Metric


def n_missed_voxels(voxels: Counts) -> float:
    """Number of the reference's voxels that are not predicted.

{METRIC_EXAMPLE}    """
    return float(voxels.fn)


METRICS = (Metric("n_missed_voxels", "voxels", -1, "empty reference: 0", counts, n_missed_voxels, 0.0, math.inf),)
'''

NETWORKS = "tests/unit/models/test_architectures.py"
NETWORK = "src/lesionflow/models/networks/plain_unet.py"
NETWORK_TEXT = '''"""A convolution on the way down and one on the way up."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from lesionflow.models.architecture import Architecture
from lesionflow.models.blocks import CONVOLUTIONS, POOLINGS, Dimensions, expect_rare


class PlainUNet(nn.Module):
    """One halving."""

    def __init__(self, in_channels: int, out_channels: int, dimensions: Dimensions, *, base_channels: int) -> None:
        super().__init__()
        convolution = CONVOLUTIONS[dimensions]
        self.down = convolution(in_channels, base_channels, 3, padding=1)
        self.pool = POOLINGS[dimensions](2)
        self.output = convolution(base_channels + in_channels, out_channels, 1)
        expect_rare(self.output)

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

ADDITIONS = {
    "metric": Addition(
        files={
            METRIC: METRIC_TEXT,
            VALUES: Edit("ROWS = {\n", 'ROWS = {\n    "n_missed_voxels": Row(BOXES, 12, 0, 0, 48),\n'),
        },
        tests=(
            VALUES,
            f"{EXAMPLES}::test_every_metrics_function_has_an_example",
            f"{OUTDATED}[metrics: n_missed_voxels]",
        ),
        omissions=(
            Omission(
                VALUES,
                None,
                {
                    f"{VALUES}::test_every_metric_has_its_value_by_hand[n_missed_voxels]": "Expected a row for the metric "
                    "n_missed_voxels in ROWS of tests/unit/metrics/test_values.py, found none: add the value",
                },
            ),
            Omission(METRIC, None, {f"{VALUES}::test_every_row_is_of_a_metric": "n_missed_voxels"}),
            Omission(
                METRIC,
                METRIC_TEXT.replace("0.0, math.inf)", "0.0, 5.0)").replace(METRIC_EXAMPLE, ""),
                {
                    f"{VALUES}::test_no_metric_leaves_its_bounds": "Expected n_missed_voxels in 0.0..5.0, found",
                    f"{EXAMPLES}::test_every_metrics_function_has_an_example[n_missed_voxels]": "Expected an example with a "
                    "number computed by hand in the docstring of n_missed_voxels, found none.",
                },
            ),
        ),
    ),
    "network": Addition(
        files={NETWORK: NETWORK_TEXT},
        tests=(
            f"{NETWORKS}::test_every_network_module_declares_an_architecture_of_its_own[plain_unet]",
            f"{NETWORKS}::test_networks_stand_by_name_whatever_their_modules_are_called",
            f"{NETWORKS}::test_logits_have_the_size_of_the_input_and_every_weight_learns[plain_unet-2]",
            f"{NETWORKS}::test_logits_have_the_size_of_the_input_and_every_weight_learns[plain_unet-3]",
            f"{NETWORKS}::test_reloaded_weights_predict_the_same[plain_unet-3]",
            f"{NETWORKS}::test_the_encoder_is_the_way_down_and_nothing_else[plain_unet]",
            f"{NETWORKS}::test_a_fresh_network_takes_tumor_for_rare[plain_unet-3]",
            f"{OUTDATED}[networks: plain_unet]",
        ),
        omissions=(
            Omission(
                NETWORK,
                NETWORK_TEXT.partition("ARCHITECTURE =")[0],
                {
                    f"{NETWORKS}::test_every_network_module_declares_an_architecture_of_its_own[plain_unet]": "Expected an "
                    "Architecture at the top of src/lesionflow/models/networks/plain_unet.py, found 0",
                },
            ),
            Omission(
                NETWORK,
                NETWORK_TEXT.replace("padding=1", "padding=0").replace('"one halving, for tests"', '""'),
                {
                    f"{NETWORKS}::test_logits_have_the_size_of_the_input_and_every_weight_learns[plain_unet-3]": "Kernel size "
                    "can't be greater than actual input size",
                    f"{NETWORKS}::test_every_network_module_declares_an_architecture_of_its_own[plain_unet]": "Expected a "
                    "sentence about plain_unet for the docs (`what`), found none.",
                },
            ),
        ),
    ),
}
OMITTED = [(name, number) for name, addition in ADDITIONS.items() for number in range(len(addition.omissions))]


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
    listed = subprocess.run(["git", "ls-files", "--", *COPIED], check=False, cwd=REPO, capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        return listed.stdout.splitlines()
    found = (path for top in COPIED for path in [REPO / top, *(REPO / top).rglob("*")])
    return [str(path.relative_to(REPO)) for path in found if path.is_file() and "__pycache__" not in path.parts]


def _run(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    # What measures the coverage of these tests shall not measure the copy.
    environment = {name: value for name, value in environment.items() if not name.startswith(("COV_", "COVERAGE_"))}
    return subprocess.run(
        [sys.executable, *arguments], check=False, cwd=copy, env=environment, capture_output=True, text=True
    )


def _write(copy: Path, name: str, content: str | Edit | None) -> None:
    path = copy / name
    if isinstance(content, Edit):
        text = path.read_text(encoding="utf-8")
        assert text.count(content.old) == 1, f"{name} has {text.count(content.old)} times {content.old!r}."
        content = text.replace(content.old, content.new)
    if content is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def _restore(copy: Path) -> None:
    pages = [str(page.relative_to(REPO)) for page in (REPO / "docs").rglob("*.md")]
    for name in (*pages, *(name for addition in ADDITIONS.values() for name in addition.files)):
        if (REPO / name).exists():
            shutil.copyfile(REPO / name, copy / name)
        else:
            (copy / name).unlink(missing_ok=True)


def _add(copy: Path, addition: Addition, omission: Omission | None = None) -> None:
    for name, content in addition.files.items():
        _write(copy, name, omission.instead if omission and omission.file == name else content)


def _test(copy: Path, *tests: str) -> tuple[int, str]:
    done = _run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:cov", "--tb=short", *tests)
    return done.returncode, f"{done.stdout}{done.stderr}"


@pytest.mark.slow
def test_these_files_are_enough_and_docs_made_anew(copy: Path) -> None:
    """All additions at once, as each takes its time to import what it is added to."""
    try:
        for addition in ADDITIONS.values():
            _add(copy, addition)
        rows = [test for addition in ADDITIONS.values() for test in addition.tests if test.startswith(OUTDATED)]
        failed, told = _test(copy, *rows)
        assert failed, told
        assert told.count("FAILED") == told.count("AssertionError: Run `python -m docs.tables`") == len(rows), told
        made = _run(copy, "-m", "docs.tables")
        assert made.returncode == 0, made.stderr
        failed, told = _test(copy, *{test: None for addition in ADDITIONS.values() for test in addition.tests}, TABLES)
        assert not failed, told
    finally:
        _restore(copy)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "number"), OMITTED, ids=[f"{name} {number}" for name, number in OMITTED])
def test_what_is_left_out_fails_a_test_that_says_what_to_add(name: str, number: int, copy: Path) -> None:
    omission = ADDITIONS[name].omissions[number]
    try:
        _add(copy, ADDITIONS[name], omission)
        _, told = _test(copy, *omission.fails)
        failed = told.partition("short test summary info")[2]
        for test, says in omission.fails.items():
            assert f"FAILED {test}" in failed, told
            assert says in told, told
    finally:
        _restore(copy)
