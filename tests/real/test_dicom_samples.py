"""Odd and broken files that others collected: each is read right or refused by name."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from lesionflow.data.geometry import Geometry
from lesionflow.errors import DicomError
from lesionflow.io.dicom import studies as dicom
from lesionflow.io.dicom.reading import is_dicom, read_dicom_file
from lesionflow.io.dicom.rtstruct import read_structures
from lesionflow.io.dicom.seg import read_segments
from lesionflow.io.dicom.series import read_series
from lesionflow.io.dicom.sorting import scan
from lesionflow.io.files import find_files
from lesionflow.io.images import nifti
from lesionflow.io.rules import ReadingRules, SeriesRule, SourceStudy

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "dicom"
NO_DICOM = {".nii", ".gz", ".nrrd", ".json", ".md", ".txt"}
FILES = [path for path in (find_files(DATA) if DATA.exists() else []) if path.suffix not in NO_DICOM]

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.exists(), reason="needs the sample files of ../shared/data/dicom"),
]


#: Mean difference in HU that lossy compression of the sample image makes, by transfer syntax.
LOSSY_HU = {
    "1.2.840.10008.1.2.4.50": 30.0,
    "1.2.840.10008.1.2.4.51": 4.0,
    "1.2.840.10008.1.2.4.81": 1.0,
    "1.2.840.10008.1.2.4.91": 1.0,
}
#: Kinds of JPEG that the standard has retired and no decoder here knows.
RETIRED = ("1.2.840.10008.1.2.4.53", "1.2.840.10008.1.2.4.55")


def name_of(path):
    return str(path.relative_to(DATA))


def test_the_ibsi_phantoms_outline_is_its_voxel_mask():
    (source,) = dicom.find_studies(DATA / "ibsi_ct_phantom" / "dicom")
    rules = ReadingRules({"CT": SeriesRule("CT")}, "CT", {"tumor": 1}, (("(?i)gtv.*", "tumor"),))
    study = dicom.read_study(source, rules, name="phantom")
    truth = nifti.read_mask(DATA / "ibsi_ct_phantom" / "nifti" / "mask" / "mask.nii.gz", name="phantom")
    assert study.mask.geometry.same_grid(truth.geometry)
    ours, theirs = study.mask.labels > 0, truth.labels > 0
    assert 2.0 * np.count_nonzero(ours & theirs) / (ours.sum() + theirs.sum()) >= 0.999
    image = nifti.read_volume(DATA / "ibsi_ct_phantom" / "nifti" / "image" / "phantom.nii.gz", name="phantom")
    np.testing.assert_allclose(study.volumes["CT"].array, image.array)


#: Segmentation, images that it lies on, segment, and what another program made of it: file and value.
SEGMENTATIONS = [
    ("liver", "ct-3slice", "Liver", "liver_seg", 1),
    ("partial_overlaps", "ct-3slice", "GREEN", "partial_overlaps-1", 1),
    ("partial_overlaps", "ct-3slice", "ORANGE", "partial_overlaps-2", 2),
    ("partial_overlaps", "ct-3slice", "PURPLE", "partial_overlaps-3", 3),
    ("partial_overlaps", "ct-3slice", "LIGHT_BLUE", "partial_overlaps-1", 4),
    ("partial_overlaps", "ct-3slice", "DARK_BLUE", "partial_overlaps-1", 5),
    ("sparse-labelmap-noppv", "24x38x3/image", "Liver", "sparse_labelmap_noppv_seg", 1),
    ("sparse-labelmap-ppv5", "24x38x3/image", "Liver", "sparse_labelmap_ppv5_seg", 1),
    ("sparse-labelmap-ppv5", "24x38x3/multiframe", "Liver", "sparse_labelmap_ppv5_seg", 1),
]


@pytest.mark.parametrize(("file", "images", "segment", "truth", "value"), SEGMENTATIONS)
def test_dcmqis_segmentations_are_its_nrrds_voxel_for_voxel(file, images, segment, truth, value):
    """Another program's segmentations, cut to their boxes, binary or a label map, and what a third program makes of them."""
    folder = DATA / "dcmqi" / "data" / "segmentations"
    series = read_series(tuple(map(str, sorted((folder / images).iterdir()))), name="liver")
    data = read_dicom_file(str(folder / f"{file}.dcm"), name="liver")
    rules = ReadingRules({}, "", {"wanted": 1}, ((segment, "wanted"),))
    mask = read_segments(data, series.volume.geometry, series.frame_of_reference, rules, name="liver")
    image = SimpleITK.ReadImage(str(folder / f"{truth}.nrrd"))
    to_lps = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    points = mask.geometry.to_lps(np.argwhere(np.ones(mask.geometry.shape)))
    found = np.rint(np.linalg.solve(to_lps, (points - np.array(image.GetOrigin())).T)).astype(int)
    expected = SimpleITK.GetArrayFromImage(image)[tuple(found[::-1])] == value
    assert expected.any()
    np.testing.assert_array_equal(mask.labels.ravel() == 1, expected)


@pytest.mark.parametrize("shape", ["23x38x3", "24x38x3"])
def test_a_multiframe_image_is_the_series_that_it_was_made_of(shape):
    folder = DATA / "dcmqi" / "data" / "segmentations" / shape
    one, many = (
        read_series(tuple(map(str, sorted((folder / kind).iterdir()))), name=kind).volume
        for kind in ("multiframe", "image")
    )
    assert one.geometry.same_grid(many.geometry)
    np.testing.assert_array_equal(one.array, many.array)


def test_transfer_syntaxes_of_one_image_agree():
    folder = DATA / "cornerstone" / "examples" / "test-images"
    plain = read_series((str(folder / "CTImage.dcm"),), name="plain").volume.array
    differences, refused = {}, {}
    for path in sorted(folder.glob("CTImage.dcm_*.dcm")):
        syntax = path.stem.rsplit("_", 1)[-1]
        try:
            array = read_series((str(path),), name=syntax).volume.array
            differences[syntax] = float(np.abs(array - plain).mean())
        except DicomError as error:
            refused[syntax] = error.reason
    assert refused == dict.fromkeys(RETIRED, "unreadable_pixels")
    assert {syntax for syntax, difference in differences.items() if difference} == set(LOSSY_HU)
    assert {syntax: LOSSY_HU[syntax] for syntax in LOSSY_HU if differences[syntax] > LOSSY_HU[syntax]} == {}
    assert len(differences) == 13


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_file_is_read_or_refused_by_name(path):
    scan([path])
    rules = ReadingRules({"CT": SeriesRule("CT")}, "CT", {"t": 1}, ((".*", "t"),))
    grid = Geometry.from_parts((5, 7, 11), (3.0, 0.8, 0.5))
    for read in (
        lambda: read_series((str(path),), name="sample"),
        lambda: dicom.read_study(SourceStudy("k", "p", (str(path),)), rules, name="sample"),
        lambda: read_structures(read_dicom_file(str(path), name="sample"), grid, "1.2", rules, name="sample"),
        lambda: read_segments(read_dicom_file(str(path), name="sample"), grid, "1.2", rules, name="sample"),
    ):
        # What is refused names the case; any other exception fails the test.
        with contextlib.suppress(DicomError):
            read()


def test_there_are_samples():
    assert sum(map(is_dicom, FILES)) > 100
