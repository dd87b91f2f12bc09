"""What must be touched to add a thing, tried on a copy of the repository: these files are enough, and none may be left out.

An addition is a row of `ADDITIONS`: the files written by hand, the tests that hold it, and what may be forgotten, with the tests that
then fail and what they say. Made files are no files of it: `make made` writes them.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import pytest

REPO = Path(__file__).parents[2]
#: Of the copy: what is imported, run or read by the tests that hold additions.
COPIED = (
    "src", "tests", "docs", "pyproject.toml", "params.yaml", "change_plan.yaml", "dvc.yaml", "components", "pipelines", "README.md", "Makefile",
)  # fmt: skip
#: The most files that a person writes for an addition.
MOST_FILES = {"metric": 2, "network": 1, "output format": 2, "input layout": 4, "step": 9}

COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


class Edit(NamedTuple):
    """A change of a file that is there already: some text, found once, becomes another."""

    old: str
    new: str


class Omission(NamedTuple):
    """Files of an addition as the repository has them, or not at all (None), or wrong: which tests then fail, and what each says."""

    files: Mapping[str, str | tuple[Edit, ...] | None]
    fails: Mapping[str, str]


class Addition(NamedTuple):
    """A thing that can be added: the files that it takes, the tests that then pass, and what fails where one is left out."""

    files: Mapping[str, str | tuple[Edit, ...]]
    tests: tuple[str, ...]
    omissions: tuple[Omission, ...]


#: Says of pages that they are outdated, until `make made` has been run.
OUTDATED = "tests/contract/test_tables.py::test_every_entry_has_its_row_in_the_docs"

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

FORMATS = "tests/contract/test_output_formats.py"
FORMAT = "src/lesionflow/prediction/writers/mha.py"
FORMAT_TEXT = '''"""MetaImage: the labels of every voxel, where the study has them."""

from pathlib import Path
from typing import TYPE_CHECKING

from lesionflow.prediction.writer import Writer

if TYPE_CHECKING:
    from lesionflow.prediction.study import Prediction


def _write(output: Path, prediction: "Prediction") -> None:
    """Write the mask as one file, its voxels not packed."""
    from lesionflow.io.files import replacing_file

    mask = prediction.segmentation.mask
    axes, origin = mask.geometry.affine[:3, [2, 1, 0]].T, mask.geometry.affine[:3, 3]
    spacing = [float((axis @ axis) ** 0.5) for axis in axes]
    header = {
        "ObjectType": "Image", "NDims": 3, "BinaryData": "True", "BinaryDataByteOrderMSB": "False",
        "TransformMatrix": " ".join(repr(float(part) / mm) for axis, mm in zip(axes, spacing, strict=True) for part in axis),
        "Offset": " ".join(repr(float(part)) for part in origin), "ElementSpacing": " ".join(map(repr, spacing)),
        "DimSize": " ".join(map(str, mask.labels.shape[::-1])), "ElementType": "MET_UCHAR", "ElementDataFile": "LOCAL",
    }
    with replacing_file(output) as partial:
        lines = "".join(f"{key} = {value}\\n" for key, value in header.items())
        partial.write_bytes(lines.encode() + mask.labels.tobytes())


WRITER = Writer(
    name="mha",
    summary="labels on the study's own grid, for ITK",
    media_type="application/octet-stream",
    accepted=(),
    file_name="mask.mha",
    write=_write,
)
'''
FORMAT_ROW = """def read_mha(path: Path, truth: Truth) -> dict[str, np.ndarray]:
    import SimpleITK

    image = SimpleITK.ReadImage(str(path))
    place, values = image.TransformIndexToPhysicalPoint, SimpleITK.GetArrayFromImage(image)
    return {
        name: np.array([place(index[::-1].tolist()) for index in np.argwhere(np.isin(values, labels))])
        for name, labels in REGIONS.items()
    }


READ_BACK = {
    "mha": ReadBack("application/octet-stream", ".mha", read_mha),
"""

LAYOUT = "src/lesionflow/io/layouts/scan_and_tumor.py"
RECOGNITION = "src/lesionflow/io/layouts/recognition.py"
LAYOUTS, LAYOUT_TEST = "tests/unit/io/layouts/test_recognition.py", "tests/unit/io/layouts/test_scan_and_tumor.py"
LAYOUT_TEXT = '''"""A folder a case, of `scan.nii.gz` and `tumor.nii.gz`."""

from collections.abc import Iterator
from pathlib import Path

from lesionflow.io.images import nifti
from lesionflow.io.rules import ReadingRules, ReadStudy, SourceStudy

NAMES = "scan.nii.gz", "tumor.nii.gz"


def detect(folder: Path) -> bool:
    """Tell whether a folder below has both files."""
    return any((inner / NAMES[0]).is_file() and (inner / NAMES[1]).is_file() for inner in folder.glob("*/"))


def find_studies(folder: Path) -> Iterator[SourceStudy]:
    """Yield one study a folder; its name is the patient's."""
    for inner in sorted(folder.glob("*/")):
        absent = [name for name in NAMES if not (inner / name).is_file()]
        fault = ("missing_file", f"Expected both files of a case, found no {absent[0]}. Add it.") if absent else None
        yield SourceStudy(inner.name, inner.name, tuple(str(inner / name) for name in NAMES), fault)


def read_study(source: SourceStudy, rules: ReadingRules, *, name: str) -> ReadStudy:
    """Read one case."""
    scan, tumor = map(Path, source.files)
    volumes = {channel: nifti.read_volume(scan, name=name) for channel in rules.channels}
    return ReadStudy(volumes, nifti.read_mask(tumor, name=name))
'''
LAYOUT_TEST_TEXT = '''"""A folder a case."""

from lesionflow.io.layouts.scan_and_tumor import find_studies


def test_a_case_without_its_tumor_carries_its_fault(tmp_path):
    (tmp_path / "p1").mkdir()
    (tmp_path / "p1" / "scan.nii.gz").touch()
    (source,) = find_studies(tmp_path)
    assert source.fault is not None
    assert source.fault[0] == "missing_file"
'''
READER_ROW = """    "scan_and_tumor": Reader(
        scan_and_tumor.detect,
        scan_and_tumor.find_studies,
        scan_and_tumor.read_study,
        recognized_by="`scan.nii.gz` beside `tumor.nii.gz`",
        channels_by="one channel",
        values_by="1 is the tumor",
    ),
"""
BEFORE_VOLUMES, AFTER_PICTURES = '    "volumes": Reader(\n', "    ),\n}\n\n\nclass Layout(NamedTuple):\n"
IMPORTED = Edit("mask_series, nnunet\n", "mask_series, nnunet, scan_and_tumor\n")
EXAMPLE_ROW = """LAYOUTS = {
    "scan_and_tumor": Example(
        lambda folder: (volume(folder / "p1" / "scan.nii.gz"), mask(folder / "p1" / "tumor.nii.gz")),
        _rules("CT", "CT"),
        GRID.shape,
        GRID.affine,
    ),
"""
LAYOUT_TABLE = f"{LAYOUTS}::test_every_module_of_a_layout_is_in_the_table"
TOLD_APART = f"{LAYOUTS}::test_every_layout_is_told_from_all_others[scan_and_tumor]"

SURFACES = "tests/contract/test_surfaces_agree.py"
MIRROR = "tests/contract/test_mirror.py::test_every_module_has_a_test_file_of_its_name"
PRESETS_CURRENT = "tests/unit/config/presets/test_build.py::test_the_presets_that_ship_are_current"
REFERENCE_CURRENT = "tests/unit/cli/test_params_commands.py::test_docs_params_is_current"
BASE_PRESET = "src/lesionflow/config/presets/sources/base.yaml"
SECTIONS = "src/lesionflow/config/sections/evaluate_register_promote.py"
PARAMS = "src/lesionflow/config/sections/__init__.py"
STEPS = "src/lesionflow/steps/__init__.py"
PATHS = "src/lesionflow/workspace/layout.py"
PIPELINE = "pipelines/retrain.py"
COMPONENT = "components/announce/component.py"
STEP, STEP_TEST = "src/lesionflow/steps/announce.py", "tests/unit/steps/test_announce.py"
FROM_SECTIONS = (
    "from lesionflow.config.sections.evaluate_register_promote import EvaluateConfig, PromoteConfig, RegisterConfig\n"
)
IMPORT_SECTION = Edit(FROM_SECTIONS, FROM_SECTIONS.replace("import ", "import AnnounceConfig, "))
SECTION_TEXT = '''class AnnounceConfig(Section):
    """Params of `announce`."""

    made_anew: ClassVar = MadeAnew.DECISION

    n_characters: Count
    """How long the note may be."""


class PromoteConfig(Section):
'''
STEPS_LINE = """    "announce": Step(
        AnnounceConfig,
        ("promotion",),
        ("announcement",),
        "Write the decision as a note.",
        "lesionflow.steps.announce",
    ),
}


def run_step(
"""
STEP_TEXT = '''"""The step `announce`: the decision as a note."""

from collections.abc import Mapping
from pathlib import Path

from lesionflow.config.sections.evaluate_register_promote import AnnounceConfig
from lesionflow.config.settings import Settings


def run(
    config: AnnounceConfig, inputs: Mapping[str, Path], outputs: Mapping[str, Path], settings: Settings
) -> dict[str, float]:
    """Write the note."""
    del settings
    note = inputs["promotion"].read_text(encoding="utf-8")[: config.n_characters]
    outputs["announcement"].write_text(note, encoding="utf-8")
    return {"n_characters": float(len(note))}
'''
STEP_TEST_TEXT = '''"""The decision as a note."""

from lesionflow.steps import run_step


def test_the_note_is_no_longer_than_it_may_be(tmp_path):
    (tmp_path / "promotion.json").write_text("promoted")
    outputs = {"announcement": tmp_path / "reports" / "note.txt"}
    counts = run_step("announce", {"n_characters": 4}, {"promotion": tmp_path / "promotion.json"}, outputs)
    assert outputs["announcement"].read_text() == "prom"
    assert counts == {"n_characters": 4.0}
'''
COMPONENT_TEXT = '''"""The step `announce` as a Kubeflow component: a declaration only."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def announce_step(
    promotion: dsl.Input[dsl.Artifact], params: str, announcement: dsl.Output[dsl.Artifact]
) -> None:
    """Write the decision as a note."""
    from pathlib import Path

    from lesionflow.steps import run_step

    counts = run_step(
        "announce", params, {"promotion": Path(promotion.path)}, {"announcement": Path(announcement.path)}
    )
    announcement.metadata.update(counts)
'''
LAST_TASK = '        params=given["promote"],\n    )\n'

ADDITIONS = {
    "metric": Addition(
        files={
            METRIC: METRIC_TEXT,
            VALUES: (Edit("ROWS = {\n", 'ROWS = {\n    "n_missed_voxels": Row(BOXES, 12, 0, 0, 48),\n'),),
        },
        tests=(
            f"{VALUES}::test_every_metric_has_its_value_by_hand[n_missed_voxels]",
            f"{VALUES}::test_every_row_is_of_a_metric",
            f"{VALUES}::test_no_metric_leaves_its_bounds",
            f"{EXAMPLES}::test_every_metrics_function_has_an_example",
            f"{OUTDATED}[metrics: n_missed_voxels]",
        ),
        omissions=(
            Omission(
                {VALUES: None},
                {
                    f"{VALUES}::test_every_metric_has_its_value_by_hand[n_missed_voxels]": "Expected a row for the metric "
                    "n_missed_voxels in ROWS of tests/unit/metrics/test_values.py, found none: add the value",
                },
            ),
            Omission(
                {METRIC: None},
                {
                    f"{VALUES}::test_every_row_is_of_a_metric": "Expected a metric for each row of ROWS, found none for ['n_missed_voxels']"
                },
            ),
            Omission(
                {
                    METRIC: METRIC_TEXT.replace("math.inf)", "5.0)")
                    .replace(": 0", ": undefined")
                    .replace(METRIC_EXAMPLE, "")
                },
                {
                    f"{VALUES}::test_every_metric_has_bounds_a_direction_and_a_sentence[n_missed_voxels]": "Expected "
                    "n_missed_voxels in its bounds 0.0..5.0, found 12 by hand.",
                    f"{VALUES}::test_every_metric_says_of_empty_masks_what_it_gives[n_missed_voxels]": "Expected `empty` of "
                    "n_missed_voxels to say where it is undefined, and only there, found 'empty reference: undefined'.",
                    f"{EXAMPLES}::test_every_metrics_function_has_an_example[n_missed_voxels]": "Expected an example with a "
                    "number computed by hand in the docstring of n_missed_voxels, found none.",
                },
            ),
            Omission(
                {"docs/evaluation.md": None},
                {
                    f"{OUTDATED}[metrics: n_missed_voxels]": "Run `make made`: the table metrics has no row of n_missed_voxels."
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
                {NETWORK: NETWORK_TEXT.partition("ARCHITECTURE =")[0]},
                {
                    f"{NETWORKS}::test_every_network_module_declares_an_architecture_of_its_own[plain_unet]": "Expected an "
                    "Architecture at the top of src/lesionflow/models/networks/plain_unet.py, found 0",
                },
            ),
            Omission(
                {NETWORK: NETWORK_TEXT.replace("padding=1", "padding=0").replace('"one halving, for tests"', '""')},
                {
                    f"{NETWORKS}::test_logits_have_the_size_of_the_input_and_every_weight_learns[plain_unet-3]": "Kernel size "
                    "can't be greater than actual input size",
                    f"{NETWORKS}::test_every_network_module_declares_an_architecture_of_its_own[plain_unet]": "Expected a "
                    "sentence about plain_unet for the docs (`what`), found none.",
                },
            ),
        ),
    ),
    "output format": Addition(
        files={FORMAT: FORMAT_TEXT, FORMATS: (Edit("READ_BACK = {\n", FORMAT_ROW),)},
        tests=(FORMATS, f"{OUTDATED}[output formats: mha]"),
        omissions=(
            Omission(
                {FORMATS: None},
                {
                    f"{FORMATS}::test_media_type_and_suffix_are_those_of_its_standard[mha]": "No library reads the output "
                    "format 'mha' back. Add its row to READ_BACK in tests/contract/test_output_formats.py",
                },
            ),
            Omission(
                {FORMAT: FORMAT_TEXT.partition("WRITER =")[0]},
                {
                    f"{FORMATS}::test_every_module_of_the_package_is_one_format_and_no_row_is_left_over": "Expected a WRITER "
                    "called mha in src/lesionflow/prediction/writers/mha.py, found none",
                },
            ),
            Omission(
                {FORMAT: FORMAT_TEXT.replace("application/octet-stream", "image/mha").replace("mask.mha", "mask.mhd")},
                {
                    f"{FORMATS}::test_media_type_and_suffix_are_those_of_its_standard[mha]": "Expected the media type and the "
                    "suffix application/octet-stream and .mha of the format mha, as its row of READ_BACK has them of its "
                    "standard, found image/mha and .mhd.",
                },
            ),
            Omission(
                {FORMAT: None},
                {
                    f"{FORMATS}::test_every_module_of_the_package_is_one_format_and_no_row_is_left_over": "Expected a format for each row of READ_BACK, found none for ['mha']"
                },
            ),
        ),
    ),
    "input layout": Addition(
        files={
            LAYOUT: LAYOUT_TEXT,
            RECOGNITION: (IMPORTED, Edit(BEFORE_VOLUMES, READER_ROW + BEFORE_VOLUMES)),
            LAYOUTS: (Edit("LAYOUTS = {\n", EXAMPLE_ROW),),
            LAYOUT_TEST: LAYOUT_TEST_TEXT,
        },
        tests=(
            LAYOUT_TABLE,
            TOLD_APART,
            f"{LAYOUTS}::test_every_layout_is_read_where_its_voxels_lie[scan_and_tumor]",
            f"{LAYOUTS}::test_every_layout_says_for_the_docs_how_it_is_told[scan_and_tumor]",
            f"{LAYOUTS}::test_an_empty_folder_has_no_layout[scan_and_tumor]",
            f"{OUTDATED}[input layouts: scan_and_tumor]",
            MIRROR,
            LAYOUT_TEST,
        ),
        omissions=(
            Omission(
                {RECOGNITION: None},
                {
                    LAYOUT_TABLE: "scan_and_tumor.py has detect, and READERS of recognition.py no row of it",
                    f"{LAYOUTS}::test_every_row_is_of_a_layout": "found none for ['scan_and_tumor']",
                },
            ),
            Omission(
                {LAYOUTS: None, LAYOUT_TEST: None},
                {
                    TOLD_APART: "Expected an example of the layout scan_and_tumor in LAYOUTS of "
                    "tests/unit/io/layouts/test_recognition.py, found none",
                    MIRROR: "src/lesionflow/io/layouts/scan_and_tumor.py has no tests/unit/io/layouts/test_scan_and_tumor.py "
                    "with a test in it: write it",
                },
            ),
            Omission(
                {RECOGNITION: (IMPORTED, Edit(AFTER_PICTURES, f"    ),\n{READER_ROW}{AFTER_PICTURES[7:]}"))},
                {TOLD_APART: "AssertionError: assert ('volumes', "},
            ),
            Omission(
                {"docs/formats.md": None},
                {
                    f"{OUTDATED}[input layouts: scan_and_tumor]": "Run `make made`: the table input layouts has no row of "
                    "scan_and_tumor."
                },
            ),
        ),
    ),
    "step": Addition(
        files={
            STEP: STEP_TEXT,
            STEPS: (IMPORT_SECTION, Edit("}\n\n\ndef run_step(\n", STEPS_LINE)),
            SECTIONS: (Edit("class PromoteConfig(Section):\n", SECTION_TEXT),),
            PARAMS: (
                IMPORT_SECTION,
                Edit("    promote: PromoteConfig\n", "    promote: PromoteConfig\n    announce: AnnounceConfig\n"),
            ),
            PATHS: (
                Edit(
                    '    "promotion": "reports/promotion.json",\n',
                    '    "promotion": "reports/promotion.json",\n    "announcement": "reports/note.txt",\n',
                ),
            ),
            COMPONENT: COMPONENT_TEXT,
            PIPELINE: (
                Edit(
                    "from components.evaluate",
                    "from components.announce.component import announce_step\nfrom components.evaluate",
                ),
                Edit("    promote: str,\n", "    promote: str,\n    announce: str,\n"),
                Edit("    promote_step(\n", "    promoted = promote_step(\n"),
                Edit(
                    LAST_TASK,
                    f'{LAST_TASK}    announce_step(promotion=promoted.outputs["promotion"], params=given["announce"])\n',
                ),
            ),
            BASE_PRESET: (Edit("promote:\n", "announce:\n  n_characters: 500\npromote:\n"),),
            STEP_TEST: STEP_TEST_TEXT,
        },
        tests=(
            f"{SURFACES}::test_every_step_has_a_module_with_a_run_of_four_values[announce]",
            f"{SURFACES}::test_params_have_one_section_a_step",
            f"{SURFACES}::test_every_input_is_an_output_of_an_earlier_step",
            f"{SURFACES}::test_dvc_yaml_is_current",
            f"{SURFACES}::test_a_dvc_stage_depends_on_its_inputs_and_section_alone[announce]",
            f"{SURFACES}::test_yaml_1_1_and_1_2_read_the_same_preset[phantom_ct]",
            f"{SURFACES}::test_the_repository_itself_is_a_workspace_of_the_phantom_preset",
            f"{SURFACES}::test_a_component_declares_the_steps_inputs_and_outputs[announce]",
            f"{SURFACES}::test_a_components_body_is_one_call_of_its_step[announce]",
            f"{SURFACES}::test_the_pipeline_runs_every_step_with_its_own_section",
            f"{SURFACES}::test_the_compiled_pipeline_is_current",
            f"{SURFACES}::test_the_command_line_has_every_step_with_its_paths[announce]",
            "tests/unit/config/sections/test_init.py",
            "tests/unit/config/test_field_docstrings.py",
            "tests/unit/workspace/test_layout.py",
            "tests/unit/workspace/test_run.py",
            PRESETS_CURRENT,
            REFERENCE_CURRENT,
            MIRROR,
            STEP_TEST,
        ),
        omissions=(
            Omission(
                {STEP: None, PATHS: None, PIPELINE: None, BASE_PRESET: None},
                {
                    f"{SURFACES}::test_every_step_has_a_module_with_a_run_of_four_values[announce]": "Expected the module "
                    "lesionflow.steps.announce that STEPS names for the step announce, found none: write it.",
                    f"{SURFACES}::test_every_input_is_an_output_of_an_earlier_step": "Expected a path for each output of a "
                    "step, found none for ['announcement']: say where it lies in PATHS of src/lesionflow/workspace/layout.py.",
                    f"{SURFACES}::test_the_pipeline_runs_every_step_with_its_own_section": "Expected a task for each step in "
                    "pipelines/retrain.py, found none for ['announce']: call its component there.",
                    PRESETS_CURRENT: "announce: Field required",
                },
            ),
            Omission(
                {PARAMS: None, COMPONENT: None, STEP_TEST: None},
                {
                    f"{SURFACES}::test_params_have_one_section_a_step": "Expected a field of Params for each step of STEPS, "
                    "found none for ['announce']: give the section its place in src/lesionflow/config/sections/__init__.py.",
                    f"{SURFACES}::test_a_component_declares_the_steps_inputs_and_outputs[announce]": "Expected the component "
                    "of the step announce in components/announce/component.py, found no such file: declare it.",
                    f"{SURFACES}::test_a_components_body_is_one_call_of_its_step[announce]": "found no such file: declare it.",
                    MIRROR: "src/lesionflow/steps/announce.py has no tests/unit/steps/test_announce.py with a test in it: write it",
                },
            ),
            Omission(
                {STEPS: None},
                {
                    f"{SURFACES}::test_params_have_one_section_a_step": "Expected a step for each section of Params, found "
                    "none for ['announce']: give it its line in STEPS of src/lesionflow/steps/__init__.py.",
                    f"{SURFACES}::test_every_input_is_an_output_of_an_earlier_step": "Expected a step that makes "
                    "['announcement'] of PATHS, found none in STEPS",
                },
            ),
            Omission(
                {
                    "dvc.yaml": None,
                    "params.yaml": None,
                    "docs/params.md": None,
                    "pipelines/retrain.yaml": None,
                    "src/lesionflow/config/presets/lung_2d.yaml": None,
                },
                {
                    f"{SURFACES}::test_dvc_yaml_is_current": "Run `make made`: dvc.yaml is not what STEPS says.",
                    f"{SURFACES}::test_a_dvc_stage_depends_on_its_inputs_and_section_alone[announce]": "Run `make made`: "
                    "dvc.yaml has no stage of the step announce.",
                    f"{SURFACES}::test_the_repository_itself_is_a_workspace_of_the_phantom_preset": "params.yaml does not fit",
                    f"{SURFACES}::test_the_compiled_pipeline_is_current": "Run `make made`: pipelines/retrain.yaml is not",
                    REFERENCE_CURRENT: "docs/params.md is old.",
                    PRESETS_CURRENT: "the preset lung_2d is not what sources/ say.",
                },
            ),
        ),
    ),
}
#: The first omission of each addition, the second of each, ...: they do not meet, and what takes the time is to import the libraries.
ROUNDS = [
    [omission for omission in found if omission] for found in zip_longest(*(a.omissions for a in ADDITIONS.values()))
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Git's files of the repository, or all where there is no git, with all additions, and made files made."""
    folder = tmp_path_factory.mktemp("copy")
    for name in _tracked():
        if (REPO / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPO / name, folder / name)
    for addition in ADDITIONS.values():
        for name, content in addition.files.items():
            _write(folder / name, content)
    _run(folder, "make", "--old-file=setup", "made", f"BIN={Path(sys.executable).parent}", check=True)
    return folder


def _tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "--", *COPIED], check=False, cwd=REPO, capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        return listed.stdout.splitlines()
    found = (path for top in COPIED for path in [REPO / top, *(REPO / top).rglob("*")])
    return [str(path.relative_to(REPO)) for path in found if path.is_file() and "__pycache__" not in path.parts]


def _run(copy: Path, *command: str, check: bool = False) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    # What measures the coverage of these tests shall not measure the copy.
    environment = {name: value for name, value in environment.items() if not name.startswith(("COV_", "COVERAGE_"))}
    done = subprocess.run(command, check=False, cwd=copy, env=environment, capture_output=True, text=True)
    assert not (check and done.returncode), f"{done.stdout}{done.stderr}"
    return done


def _write(path: Path, content: str | tuple[Edit, ...]) -> None:
    if isinstance(content, tuple):
        text = path.read_text(encoding="utf-8")
        for old, new in content:
            assert text.count(old) == 1, f"{path} has {text.count(old)} times {old!r}."
            text = text.replace(old, new)
        content = text
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def _leave_out(copy: Path, name: str, instead: str | tuple[Edit, ...] | None) -> None:
    if not isinstance(instead, str) and (REPO / name).exists():
        shutil.copyfile(REPO / name, copy / name)
    if instead is not None:
        _write(copy / name, instead)
    elif not (REPO / name).exists():
        (copy / name).unlink()


def _test(copy: Path, *tests: str) -> tuple[int, str]:
    options = ("-q", "-p", "no:cacheprovider", "-p", "no:cov", "-p", "no:xdist", "--tb=short")
    done = _run(copy, sys.executable, "-m", "pytest", *options, *tests)
    return done.returncode, f"{done.stdout}{done.stderr}"


@pytest.mark.parametrize("name", ADDITIONS)
def test_an_addition_takes_no_more_files_than_contributing_says(name: str) -> None:
    assert len(ADDITIONS[name].files) <= MOST_FILES[name]


def test_contributing_counts_its_files_and_names_each() -> None:
    text = (REPO / "CONTRIBUTING.md").read_text(encoding="utf-8")
    recipes = re.findall(r"^### An? ([^:\n]+): (\w+) files?\n(.+?)(?=^##)", text, re.MULTILINE | re.DOTALL)
    said = {
        name: (COUNTS.index(count), len(re.findall(r"^\d\. ", recipe, re.MULTILINE))) for name, count, recipe in recipes
    }
    assert {name: counts for name, counts in said.items() if counts[0] != counts[1]} == {}
    assert {name: said[name][0] for name in ADDITIONS} == MOST_FILES


@pytest.mark.slow
def test_these_files_are_enough_and_others_are_made(copy: Path) -> None:
    failed, told = _test(copy, *{test: None for addition in ADDITIONS.values() for test in addition.tests})
    assert not failed, told


@pytest.mark.slow
@pytest.mark.parametrize("omissions", ROUNDS, ids=range(1, len(ROUNDS) + 1))
def test_what_is_left_out_fails_a_test_that_says_what_to_add(omissions: list[Omission], copy: Path) -> None:
    names = [name for omission in omissions for name in omission.files]
    whole = {name: (copy / name).read_bytes() for name in names}
    try:
        for omission in omissions:
            for name, instead in omission.files.items():
                _leave_out(copy, name, instead)
        fails = [(test, says) for omission in omissions for test, says in omission.fails.items()]
        _, told = _test(copy, *dict(fails))
        failed = told.partition("short test summary info")[2]
        for test, says in fails:
            assert f"FAILED {test}" in failed, told
            assert says in told, told
    finally:
        for name, content in whole.items():
            (copy / name).write_bytes(content)
