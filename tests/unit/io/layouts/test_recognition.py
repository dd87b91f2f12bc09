"""Which layout a folder has: recognized by itself, said, and forceable."""

import ast
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import ConfigError, InputError
from lesionflow.io import layouts
from lesionflow.io.images.nifti import write_mask, write_volume
from lesionflow.io.layouts.recognition import READERS, recognize
from lesionflow.io.rules import ReadingRules, SeriesRule
from support import dicom_factory
from support.dicom_factory import OBLIQUE, ORIGIN_MM, SPACING_MM, write_series

GRID = Geometry.from_parts((3, 4, 5), (2.0, 0.8, 0.5), (1.0, 2.0, 3.0))


def volume(path, value=1.0):
    write_volume(path, Volume(np.full((1, 3, 4, 5), value), GRID))


def mask(path):
    write_mask(path, Mask(np.ones((3, 4, 5), np.uint8), GRID))


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((4, 5), np.uint8)).save(path)


def write_decathlon(folder):
    volume(folder / "imagesTr" / "a_001.nii.gz")
    mask(folder / "labelsTr" / "a_001.nii.gz")
    listed = [{"image": "./imagesTr/a_001.nii.gz", "label": "./labelsTr/a_001.nii.gz"}]
    content = {"modality": {"0": "CT"}, "labels": {"0": "background", "1": "tumor"}, "training": listed}
    (folder / "dataset.json").write_text(json.dumps(content))


def write_nnunet(folder):
    """Version 1, whose declaration looks like the Decathlon's but whose files have other names than it lists."""
    write_decathlon(folder)
    (folder / "imagesTr" / "a_001.nii.gz").rename(folder / "imagesTr" / "a_001_0000.nii.gz")


def write_mask_series(folder):
    write_series(folder / "p1" / "PATIENT_DICOM")
    write_series(folder / "p1" / "MASKS_DICOM" / "tumor")


def write_brats(folder):
    for what in ("flair", "t1", "seg"):
        (mask if what == "seg" else volume)(folder / "BraTS19_A_1" / f"BraTS19_A_1_{what}.nii.gz")


def write_dicom(folder):
    series = write_series(folder / "p1" / "CT")
    dicom_factory.write_segmentation(folder / "p1" / "SEG", series, {"tumor": np.ones(dicom_factory.SHAPE, bool)})


class Example(NamedTuple):
    """A study as its layout has it, what it is read by, and where its voxels lie: each layout needs one."""

    write: Callable[[Path], object]
    rules: ReadingRules
    shape: tuple[int, int, int]
    affine: np.ndarray


def _rules(channel, modality, outlines=()):
    return ReadingRules({channel: SeriesRule(modality)}, channel, {"tumor": 1}, outlines)


BY_NAME = (("tumor", "tumor"), (".*", "tumor"))
OF_DICOM = (dicom_factory.SHAPE, dicom_factory.affine_by_hand(SPACING_MM, OBLIQUE, ORIGIN_MM))
#: Nothing says how large a picture's pixels are.
UNKNOWN_SPACING = ((1, 4, 5), np.diag([1.0, 1.0, 1.0, 1.0])[[2, 1, 0, 3]])
LAYOUTS = {
    "decathlon": Example(write_decathlon, _rules("CT", "CT"), GRID.shape, GRID.affine),
    "nnunet": Example(write_nnunet, _rules("CT", "CT"), GRID.shape, GRID.affine),
    "mask_series": Example(write_mask_series, _rules("CT", "CT", BY_NAME), *OF_DICOM),
    "dicom": Example(write_dicom, _rules("CT", "CT", BY_NAME), *OF_DICOM),
    "brats": Example(write_brats, _rules("FLAIR", "MR", BY_NAME), GRID.shape, GRID.affine),
    "volumes": Example(
        lambda folder: (volume(folder / "images" / "a.nii.gz"), mask(folder / "masks" / "a.nii.gz")),
        _rules("CT", "CT"),
        GRID.shape,
        GRID.affine,
    ),
    "pictures": Example(
        lambda folder: (picture(folder / "images" / "a.png"), picture(folder / "masks" / "a.png")),
        _rules("gray", "OT"),
        *UNKNOWN_SPACING,
    ),
}


def example_of(name):
    assert name in LAYOUTS, (
        f"Expected an example of the layout {name} in LAYOUTS of tests/unit/io/layouts/test_recognition.py, found none: add "
        "what writes a study of it, and the shape and affine that it is read with."
    )
    return LAYOUTS[name]


def test_every_row_is_of_a_layout():
    unknown = sorted(set(LAYOUTS) - set(READERS))
    assert not unknown, (
        f"Expected a layout for each row of LAYOUTS, found none for {unknown}: give it its row in READERS."
    )


@pytest.mark.parametrize("name", READERS)
def test_every_layout_is_told_from_all_others(tmp_path, name):
    example_of(name).write(tmp_path / "raw")
    layout = recognize(tmp_path / "raw")
    assert (layout.name, layout.folder) == (name, tmp_path / "raw")
    assert [source.fault for source in READERS[name].find(layout.folder)] == [None]
    # A more particular layout, which is asked first, must not take it.
    asked_before = list(READERS)[: list(READERS).index(name)]
    assert not [other for other in asked_before if READERS[other].detect(layout.folder)]


@pytest.mark.parametrize("name", READERS)
def test_every_layout_is_read_where_its_voxels_lie(tmp_path, name):
    example = example_of(name)
    example.write(tmp_path / "raw")
    (source,) = READERS[name].find(tmp_path / "raw")
    study = READERS[name].read(source, example.rules, name="c-1")
    (channel,) = example.rules.channels
    for found in (study.volumes[channel], study.mask):
        assert found.geometry.shape == example.shape
        np.testing.assert_allclose(found.geometry.affine, example.affine, atol=1e-4)


PACKAGE = Path(layouts.__file__).parent
SOURCE = PACKAGE.parents[1]


def imports_of(path):
    """Whole names of what a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def not_in_the_table(folder, source):
    """Say which modules of a folder of layouts look for a layout that `READERS` lacks, or are of no use to any other module."""
    listed = {(reader.detect.__module__, reader.detect.__name__) for reader in READERS.values()}
    users = [path for path in source.rglob("*.py") if layouts.__name__ in path.read_text(encoding="utf-8")]
    used = {f"{name}." for path in users for name in imports_of(path)}
    for path in sorted(folder.glob("[!_]*.py")):
        module = f"{layouts.__name__}.{path.stem}"
        functions = [n.name for n in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(n, ast.FunctionDef)]
        ways = [name for name in functions if name.startswith("detect")]
        missing = [name for name in ways if (module, name) not in listed]
        if missing or ("read_study" in functions and not ways):
            yield f"{path.stem}.py has {', '.join(missing) or 'read_study and no detect'}, and READERS of recognition.py no row of it"
        elif not any(name.startswith(f"{module}.") for name in used):
            yield f"{path.stem}.py is imported by no module: give the layout its row in READERS of recognition.py"


def test_every_module_of_a_layout_is_in_the_table(tmp_path):
    assert list(not_in_the_table(PACKAGE, SOURCE)) == []
    (tmp_path / "zarr.py").write_text("def detect(folder):\n    return False\n")
    (tmp_path / "tables.py").write_text("def read_study(source, rules, *, name):\n    return None\n")
    (tmp_path / "odd.py").write_text("def is_here(folder):\n    return False\n")
    (tmp_path / "image_folders.py").write_text("def detect_meshes(folder):\n    return False\n")
    told = list(not_in_the_table(tmp_path, SOURCE))
    assert [line.partition(",")[0].partition(":")[0] for line in told] == [
        "image_folders.py has detect_meshes",
        "odd.py is imported by no module",
        "tables.py has read_study and no detect",
        "zarr.py has detect",
    ]


@pytest.mark.parametrize("name", READERS)
def test_every_layout_says_for_the_docs_how_it_is_told(name):
    reader = READERS[name]
    for field in ("recognized_by", "channels_by", "values_by"):
        assert getattr(reader, field), f"Expected {field} of the layout {name} for its row in the docs, found nothing."


@pytest.mark.parametrize("name", ["decathlon", "nnunet"])
def test_a_declared_layout_is_found_below_folders_that_hold_nothing_else(tmp_path, name):
    LAYOUTS[name].write(tmp_path / "raw" / "Task06_Lung" / "inner")
    layout = recognize(tmp_path / "raw")
    assert (layout.name, layout.folder) == (name, tmp_path / "raw" / "Task06_Lung" / "inner")


def test_a_layout_can_be_forced(tmp_path):
    write_brats(tmp_path)
    assert recognize(tmp_path, "volumes").name == "volumes"
    with pytest.raises(InputError, match=r"dicom in .*3 \.gz") as caught:
        recognize(tmp_path, "dicom")
    assert caught.value.reason == "another_layout"
    with pytest.raises(ConfigError, match="decathlon, nnunet"):
        recognize(tmp_path, "zarr")


def test_what_lies_there_is_counted(tmp_path):
    write_series(tmp_path / "dicom")
    volume(tmp_path / "nifti" / "a.nii.gz")
    layout = recognize(tmp_path)
    assert (layout.name, dict(layout.endings)) == ("dicom", {".dcm": 5, ".gz": 1})


def test_of_volumes_and_pictures_those_are_taken_that_have_masks(tmp_path):
    LAYOUTS["volumes"].write(tmp_path / "raw")
    for number in range(3):
        picture(tmp_path / "raw" / "thumbnails" / f"{number}.png")
    assert recognize(tmp_path / "raw").name == "volumes"
    volume(tmp_path / "slices" / "truth" / "a.nii.gz")
    LAYOUTS["pictures"].write(tmp_path / "slices")
    assert recognize(tmp_path / "slices").name == "pictures"


@pytest.mark.parametrize("name", READERS)
def test_an_empty_folder_has_no_layout(tmp_path, name):
    assert not READERS[name].detect(tmp_path)


def test_layouts_are_recognized(tmp_path, dicom_factory):
    dicom_factory()
    assert recognize(tmp_path / "study").name == "dicom"
    (tmp_path / "nnunet" / "imagesTr").mkdir(parents=True)
    (tmp_path / "nnunet" / "dataset.json").write_text("{}")
    assert recognize(tmp_path / "nnunet").name == "nnunet"


def test_what_is_no_layout_is_refused_with_what_was_seen(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no file") as caught:
        recognize(tmp_path / "empty")
    assert caught.value.reason == "empty_folder"
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "a.xyz").write_text("?")
    with pytest.raises(ValueError, match=r"\.xyz") as caught:
        recognize(tmp_path / "odd")
    assert caught.value.reason == "unknown_layout"


def test_pairs_of_header_and_voxels_are_refused_with_what_to_do(tmp_path):
    for name in ("p1.hdr", "p1.img"):
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match=r"1 pairs of `.hdr` and `.img`.*Convert each NIfTI pair") as caught:
        recognize(tmp_path)
    assert caught.value.reason == "unknown_layout"
