"""Every folder of real data through one command with no word on its layout: what comes of it is what lies there."""

import json
import os
import shutil
from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from lesionflow.config import IngestConfig, Settings, load_params
from lesionflow.config.presets import PRESETS as PRESETS_FOLDER
from lesionflow.io.layouts.recognition import recognize
from lesionflow.io.stores.cases import read_case, read_dataset, read_table
from lesionflow.steps.ingest import step as ingest

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / ".." / "shared" / "data"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.exists(), reason="needs the real data of ../shared/data"),
]


#: What one command must say of each folder: what lies there, and what came of it.
SAID = {
    "sts": (
        "The 3498 files have the layout `dicom`: 25 studies of 25 patients in 3463 files.",
        "25 cases with the channels CT, PET; tumor in 25; 0 refused.",
    ),
    "dsb2018": (
        "The 4972 files have the layout `pictures`: 110 studies of 110 patients in 4972 files.",
        "110 cases with the channels gray; nucleus in 110; 0 refused.",
    ),
    "brats": (
        "The 9 files have the layout `brats`: 2 studies of 2 patients in 8 files.",
        "necrotic_core in 1, edema in 1, enhancing_tumor in 1, non_enhancing_tumor in 0; 1 refused: missing_channel 1.",
    ),
    "msd06_lung_2d_png": (
        "The 48 files have the layout `pictures`: 24 studies of 12 patients in 48 files.",
        "24 cases with the channels gray; tumor in 24; 0 refused.",
    ),
    "kits19_2d_jpg": (
        "The 80 files have the layout `pictures`: 40 studies of 26 patients in 80 files.",
        "40 cases with the channels gray; tumor in 40; 0 refused.",
    ),
    "lgg_2d_jpg": (
        "The 44 files have the layout `pictures`: 22 studies of 7 patients in 44 files.",
        "22 cases with the channels gray; tumor in 22; 0 refused.",
    ),
    "lidc_nodules": (
        "510 studies -> 281 patients, told by file names: 510 by the form of a known collection",
        "The 1019 files have the layout `volumes`: 510 studies of 281 patients in 1018 files.",
        "508 cases with the channels CT; tumor in 508; 2 refused: mask_without_image 2.",
    ),
    "dicom": (
        "The 434 files have the layout `dicom`: 68 studies of 58 patients in 350 files.",
        "1 cases with the channels CT; tumor in 1; 67 refused: ",
    ),
}


@pytest.fixture
def ingested(tmp_path, caplog):
    """Run ingest as the preset says, with changes; return the case table and how many were refused by which reason."""
    caplog.set_level("INFO")

    def run(folder, preset, **changes):
        params = load_params(PRESETS_FOLDER / f"{preset}.yaml")["ingest"] | {"max_rejected_fraction": 1.0} | changes
        out = tmp_path / "cases"
        settings = Settings(private_dir=tmp_path / "private", workers=2)
        ingest.run(IngestConfig.model_validate(params), {"raw": DATA / folder}, {"cases": out}, settings)
        for line in () if changes else SAID.get(folder, ()):
            assert line in caplog.text
        refused = {}
        for entry in json.loads((out / "rejected.json").read_text()):
            refused[entry["reason"]] = refused.get(entry["reason"], 0) + 1
        return out, read_table(out), refused

    return run


def shapes(table):
    return set(map(tuple, table[["n_slices", "n_rows", "n_columns"]].to_numpy().tolist()))


@pytest.mark.parametrize(
    ("folder", "layout"),
    [
        (".", "dicom"),
        ("sts", "dicom"),
        ("dicom", "dicom"),
        ("dsb2018", "pictures"),
        ("brats", "brats"),
        ("msd06_lung_2d_png", "pictures"),
        ("kits19_2d_jpg", "pictures"),
        ("lgg_2d_jpg", "pictures"),
        ("lidc_nodules", "volumes"),
        ("sts/nifti", "volumes"),
        ("dicom/ibsi_ct_phantom/nifti", "volumes"),
    ],
)
def test_layouts_are_recognized(folder, layout):
    """Each is there with its own preset in the tests below; `SAID` says what the run prints."""
    assert recognize(DATA / folder).name == layout


@pytest.mark.parametrize(
    ("folder", "n_cases", "n_patients", "sizes"),
    [
        ("msd06_lung_2d_png", 24, 12, {(1, 512, 512)}),
        ("kits19_2d_jpg", 40, 26, {(1, 512, 512), (1, 512, 796)}),
        ("lgg_2d_jpg", 22, 7, {(1, 512, 512)}),
    ],
)
def test_pairs_of_pictures(ingested, folder, n_cases, n_patients, sizes):
    out, table, refused = ingested(folder, "lung_2d")
    assert (len(table), table["patient_id"].nunique(), refused) == (n_cases, n_patients, {})
    assert shapes(table) == sizes
    assert set(table["labels_present"]) == {"1"}
    assert read_dataset(out).channels == {"gray": "picture"}
    # By another reader: pixels of the mask brighter than half in any color (those of kits19 are red, and lossy).
    masks = [np.asarray(Image.open(path).convert("RGB")).max(axis=-1) for path in (DATA / folder / "masks").iterdir()]
    areas = sorted(np.count_nonzero(mask > 127) for mask in masks)
    assert sorted((table["tumor_ml"] * 1000).round().astype(int)) == areas


def test_instances_of_nuclei(ingested):
    out, table, refused = ingested("dsb2018", "nuclei_2d")
    assert (len(table), table["patient_id"].nunique(), refused) == (110, 110, {})
    assert len(shapes(table)) == 7
    assert set(table["labels_present"]) == {"1"}
    folders = sorted((DATA / "dsb2018" / "stage1_train").iterdir())
    areas = []
    for folder in folders:
        union = None
        for path in (folder / "masks").iterdir():
            mask = np.asarray(Image.open(path)) > 0
            union = mask if union is None else union | mask
        areas.append(np.count_nonzero(union))
    assert sorted((table["tumor_ml"] * 1000).round().astype(int)) == sorted(areas)
    assert read_case(out, table["case_id"][0]).volume.array.shape[:2] == (1, 1)


def test_brats_of_two_years_has_one_meaning(ingested):
    """2015 has FLAIR and T1c alone, and other values for the same structures."""
    channels = {name: {"kind": "mr", "modality": "MR", "series_description": ""} for name in ("FLAIR", "T1c")}
    out, table, refused = ingested("brats", "brats_3d", channels=channels, reference_channel="FLAIR")
    assert (len(table), refused, shapes(table)) == (2, {}, {(155, 240, 240)})
    assert sorted(table["labels_present"]) == ["1,2,3", "1,2,3,4"]
    expected = []
    for name, values in (
        ("BraTS2021_00006/BraTS2021_00006_seg", {1: (1,), 2: (2,), 3: (4,), 4: ()}),
        ("brats2015_brats_2013_pat0005_1/OTMultiClass", {1: (1,), 2: (2,), 3: (4,), 4: (3,)}),
    ):
        labels = np.asarray(nib.load(DATA / "brats" / f"{name}.nii.gz").dataobj)
        expected.append(tuple(np.count_nonzero(np.isin(labels, v)) for v in values.values()))
    found = []
    for case_id in table["case_id"]:
        labels = read_case(out, case_id).reference_mask.labels
        found.append(tuple(np.count_nonzero(labels == n) for n in (1, 2, 3, 4)))
    assert sorted(found) == sorted(expected)


def test_brats_with_four_channels_refuses_the_case_that_has_two(ingested):
    _, table, refused = ingested("brats", "brats_3d")
    assert (len(table), refused) == (1, {"missing_channel": 1})


@pytest.mark.slow
def test_each_nodule_is_a_case_of_its_patient(ingested, tmp_path):
    """Crops of one patient overlap; two masks have no image. Voxels and patients by another reader and by the files' names.

    Of 40 patients; with LESIONFLOW_TEST_WHOLE=1, of all 281.
    """
    whole = os.environ.get("LESIONFLOW_TEST_WHOLE") == "1"
    folder = DATA / "lidc_nodules" if whole else some_patients(DATA / "lidc_nodules", tmp_path / "some", 40)
    out, table, refused = ingested("lidc_nodules" if whole else folder, "phantom_ct")
    names = [path.name for path in (folder / "image").iterdir()]
    a_patient = Counter(name[: len("LIDC-IDRI-0000")] for name in names)
    assert (len(names), len(a_patient)) == (508, 281) if whole else len(a_patient) == 40
    assert (len(table), table["patient_id"].nunique(), refused) == (
        len(names),
        len(a_patient),
        {"mask_without_image": 2},
    )
    assert sorted(table["patient_id"].value_counts()) == sorted(a_patient.values())
    volumes = []
    for name in names:
        mask = nib.load(folder / "nodule_mask" / name)
        volumes.append(np.count_nonzero(mask.dataobj) * abs(np.linalg.det(mask.affine[:3, :3])) / 1000)
    assert sorted(table["tumor_ml"]) == pytest.approx(sorted(volumes), rel=1e-4)
    assert read_dataset(out).channels == {"CT": "ct"}


def some_patients(folder, into, n_patients):
    """Copy the first patients, and him whose two masks have no image."""
    lost = {path.name for path in (folder / "nodule_mask").iterdir()} - {
        path.name for path in (folder / "image").iterdir()
    }
    patients = sorted({path.name[: len("LIDC-IDRI-0000")] for path in (folder / "image").iterdir()})[:n_patients]
    for kind in ("image", "nodule_mask"):
        (into / kind).mkdir(parents=True)
        for path in (folder / kind).iterdir():
            if path.name in lost or path.name.startswith(tuple(patients)):
                shutil.copy(path, into / kind)
    return into


def test_loose_volumes_with_masks_by_channel(ingested):
    """Masks for all 25 patients, images for a few."""
    images = list((DATA / "sts" / "nifti").glob("*/CT_image.nii.gz"))
    out, table, refused = ingested("sts/nifti", "phantom_ct")
    assert (len(table), refused) == (len(images), {"mask_without_image": 25 - len(images)})
    volumes = []
    for path in images:
        mask = nib.load(path.with_name("CT_mask.nii.gz"))
        volumes.append(np.count_nonzero(np.asarray(mask.dataobj)) * abs(np.linalg.det(mask.affine[:3, :3])) / 1000)
    assert sorted(table["tumor_ml"]) == pytest.approx(sorted(volumes), rel=1e-5)
    assert read_dataset(out).channels == {"CT": "ct"}


def test_one_image_and_its_mask_in_folders_of_their_own(ingested):
    _, table, refused = ingested("dicom/ibsi_ct_phantom/nifti", "phantom_ct")
    assert (len(table), refused, shapes(table)) == (1, {}, {(60, 201, 204)})


def test_all_patients_of_the_sarcoma_collection(ingested):
    out, table, refused = ingested("sts", "sts_petct")
    assert (len(table), table["patient_id"].nunique(), refused) == (25, 25, {})
    assert read_dataset(out).channels == {"CT": "ct", "PET": "pet"}
    assert set(table["labels_present"]) == {"1"}
    masks = [nib.load(path) for path in (DATA / "sts" / "nifti").glob("*/CT_mask.nii.gz")]
    volumes = [np.count_nonzero(mask.dataobj) * abs(np.linalg.det(mask.affine[:3, :3])) / 1000 for mask in masks]
    assert sorted(table["tumor_ml"]) == pytest.approx(sorted(volumes), rel=1e-3)


def test_odd_and_broken_files_of_other_projects(ingested):
    """Of 68 studies one is a CT with an outline of a tumor; each other is refused for what it is."""
    _, table, refused = ingested("dicom", "phantom_ct")
    assert (len(table), shapes(table)) == (1, {(60, 201, 204)})
    assert sum(refused.values()) == 67
    assert refused == REFUSED_SAMPLES


#: Files that are broken, or say of no study, lie in two folders with most of the samples: no study there can be taken for
#: whole. Others are of other modalities, single or repeated slices, or have no outline.
REFUSED_SAMPLES = {
    "unreadable_file": 39,
    "unsupported_modality": 9,
    "missing_channel": 6,
    "no_outline": 5,
    "missing_geometry": 3,
    "ambiguous_series": 2,
    "missing_slice": 1,
    "no_matching_outline": 1,
    "duplicate_instance": 1,
}
