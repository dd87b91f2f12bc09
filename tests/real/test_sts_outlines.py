"""The structure sets of real patients against the collection's own voxel masks."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from lesionflow.io.dicom import studies as dicom
from lesionflow.io.images import nifti
from lesionflow.io.rules import ReadingRules, SeriesRule
from lesionflow.preprocessing.alignment import align_channels

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
STS = DATA / "sts"
IBSI = DATA / "ibsi_ct_phantom"
PATIENTS = sorted(path.name for path in (STS / "dicom").glob("STS_*"))
RULES = ReadingRules(
    {"CT": SeriesRule("CT"), "PET": SeriesRule("PT")}, "CT", {"tumor": 1}, (("(?i)gtv_?mass.*", "tumor"),)
)

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not STS.exists(), reason="needs the real studies of ../shared/data/sts"),
]


def dice(one, other):
    return 2.0 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


@pytest.fixture(scope="module")
def studies():
    """All studies, read once each."""
    found = {source.patient_key: source for source in dicom.find_studies(STS / "dicom")}
    read = {}

    def get(patient):
        if patient not in read:
            read[patient] = dicom.read_study(found[patient], RULES, name=patient)
        return read[patient]

    return get


def test_all_patients_are_there():
    assert len(PATIENTS) == 25


@pytest.mark.parametrize("patient", PATIENTS)
def test_the_outlines_are_the_collections_own_masks(studies, patient):
    study = studies(patient)
    truth = nifti.read_mask(STS / "nifti" / patient / "CT_mask.nii.gz", name=patient)
    assert study.mask.geometry.same_grid(truth.geometry)
    assert dice(study.mask.labels > 0, truth.labels > 0) >= 0.999


@pytest.mark.parametrize("patient", PATIENTS)
def test_pet_is_uptake_and_covers_the_ct(studies, patient):
    volumes = studies(patient).volumes
    assert 3.0 < volumes["PET"].array.max() < 60.0
    aligned = align_channels(volumes, ("CT", "PET"), "CT", case_id=patient)
    tumor = studies(patient).mask.labels > 0
    # A sarcoma takes up more than what surrounds it; a PET that were shifted or mirrored would not show it.
    assert aligned.array[1][tumor].mean() > 1.5 * aligned.array[1][~tumor].mean()


@pytest.mark.parametrize("channel", ["CT", "PET"])
def test_voxels_and_places_are_those_that_simpleitk_reads(studies, channel):
    reader = SimpleITK.ImageSeriesReader()
    folder = STS / "dicom" / "STS_002" / channel / "image"
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    volume = studies("STS_002").volumes[channel]
    np.testing.assert_allclose(volume.geometry.spacing_mm, image.GetSpacing()[::-1], rtol=1e-5)
    np.testing.assert_allclose(volume.geometry.origin_mm, image.GetOrigin(), atol=1e-3)
    np.testing.assert_allclose(volume.array[0], SimpleITK.GetArrayFromImage(image), rtol=1e-5, atol=1e-4)
