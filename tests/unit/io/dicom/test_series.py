import warnings

import numpy as np
import pytest
import SimpleITK
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from lesionflow.errors import DicomError
from lesionflow.io.dicom.series import read_headers, read_series
from support.dicom_factory import AXIAL, CORONAL, OBLIQUE, SHAPE, SPACING_MM, stored_values


def read(series, **values):
    return read_series(tuple(str(path) for path in sorted(series.paths)), name="c-1", **values)


@pytest.mark.parametrize("orientation", [OBLIQUE, AXIAL, CORONAL], ids=["oblique", "axial", "coronal"])
def test_every_voxel_lies_where_the_headers_put_it(dicom_factory, orientation):
    series = dicom_factory(orientation=orientation)
    volume = read(series).volume
    np.testing.assert_allclose(volume.geometry.affine, series.affine_by_hand, atol=1e-6)
    np.testing.assert_array_equal(volume.array[0], series.stored * 2.0 - 1000.0)


def test_row_and_column_spacing_are_not_swapped(dicom_factory):
    series = dicom_factory()
    np.testing.assert_allclose(read(series).volume.geometry.spacing_mm, SPACING_MM, atol=1e-6)


def test_the_same_voxels_as_simpleitk(dicom_factory):
    series = dicom_factory()
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(series.folder)))
    image = reader.Execute()
    volume = read(series).volume
    array = SimpleITK.GetArrayFromImage(image)
    for index in ((0, 0, 0), (4, 6, 10), (2, 1, 7)):
        k, i, j = index
        point = volume.geometry.to_lps(index)
        there = image.TransformPhysicalPointToIndex([float(v) for v in point])
        assert array[there[::-1]] == volume.array[0, k, i, j]


def test_files_are_given_back_in_slice_order(dicom_factory):
    series = dicom_factory()
    assert read(series).files == tuple(str(path) for path in series.paths)


def test_headers_alone_lie_where_the_voxels_do_and_hold_none(dicom_factory):
    series = dicom_factory()
    paths = tuple(str(path) for path in reversed(series.paths))
    headers = read_headers(paths, name="c-1")
    np.testing.assert_allclose(headers.geometry.affine, series.affine_by_hand, atol=1e-6)
    assert headers.geometry.shape == SHAPE
    assert headers.files == tuple(str(path) for path in series.paths)
    assert [list(data.ImagePositionPatient) for data in headers.data] == [
        pytest.approx(list(series.position(k, 0, 0))) for k in range(SHAPE[0])
    ]
    assert not any("PixelData" in data or data.buffer for data in headers.data)
    with pytest.raises(DicomError) as caught:
        read_headers(paths[:2] + paths[3:], name="c-1")
    assert caught.value.reason == "missing_slice"


def test_each_slice_has_a_rescale_of_its_own(dicom_factory):
    def own_scale(data, k):
        data.RescaleSlope, data.RescaleIntercept = str(k + 1), str(-10 * k)

    series = dicom_factory(change=own_scale)
    k = np.arange(SHAPE[0])[:, None, None]
    np.testing.assert_array_equal(read(series).volume.array[0], series.stored * (k + 1.0) - 10.0 * k)


def test_slices_may_be_stored_in_different_types(dicom_factory):
    def unsigned(data, k):
        if k == 2:
            data.PixelRepresentation, data.RescaleSlope = 0, "0.5"
            data.PixelData = np.full(SHAPE[1:], 33000, dtype="<u2").tobytes()

    volume = read(dicom_factory(change=unsigned)).volume
    np.testing.assert_array_equal(volume.array[0, 2], np.full(SHAPE[1:], 33000 * 0.5 - 1000.0))


def test_ct_numbers_that_lost_their_sign_are_refused(dicom_factory):
    def unsigned(data, k):
        data.PixelRepresentation = 0
        data.PixelData = np.full(SHAPE[1:], -1000, dtype="<i2").tobytes()

    with pytest.raises(DicomError, match="c-1") as caught:
        read(dicom_factory(change=unsigned))
    assert caught.value.reason == "implausible_hu"


def test_monochrome1_says_how_to_show_values_not_what_they_are(dicom_factory):
    def inverted(data, k):
        data.PhotometricInterpretation = "MONOCHROME1"

    series = dicom_factory(change=inverted)
    np.testing.assert_array_equal(read(series).volume.array[0], series.stored * 2.0 - 1000.0)


def test_mr_without_rescale_keeps_its_stored_values(dicom_factory):
    def bare(data, k):
        del data.RescaleSlope, data.RescaleIntercept

    series = dicom_factory(modality="MR", change=bare)
    np.testing.assert_array_equal(read(series).volume.array[0], series.stored)


def test_of_the_attributes_three_are_kept(dicom_factory):
    """What of them is written, and as what, `ingest` decides."""
    expected = {"manufacturer": "Kneebone Imaging", "sex": "F", "institution": ""}
    assert read(dicom_factory()).attributes == expected
    named = dicom_factory(change=lambda data, k: setattr(data, "InstitutionName", "St. Elsewhere"))
    assert read(named).attributes == expected | {"institution": "St. Elsewhere"}


def set_on(slices, **values):
    def change(data, k):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom warns of each fault that we write on purpose
            if k in slices:
                for keyword, value in values.items():
                    setattr(data, keyword, value)

    return change


def modality_lut(kind):
    """Looks up stored values of 16 bits: 9000 for 0, less 3 for each more."""

    def change(data, k):
        table = Dataset()
        table.LUTDescriptor, table.ModalityLUTType = [3000, 0, 16], kind
        table.LUTData = (9000 - 3 * np.arange(3000)).astype("<u2").tobytes()
        del data.RescaleSlope, data.RescaleIntercept
        data.ModalityLUTSequence = [table]

    return change


def test_a_modality_lookup_table_of_hu_stands_in_place_of_a_rescale(dicom_factory):
    series = dicom_factory(change=modality_lut("HU"))
    np.testing.assert_array_equal(read(series).volume.array[0], 9000 - 3.0 * series.stored)


def test_monochrome1_says_how_values_are_shown_not_what_they_are(dicom_factory):
    series = dicom_factory(change=set_on(range(5), PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(read(series).volume.array[0], series.stored * 2.0 - 1000.0)


@pytest.mark.parametrize("length", [0, 100, 140, 400, 900])
def test_a_truncated_file_is_refused_by_name(dicom_factory, length):
    series = dicom_factory()
    series.paths[2].write_bytes(series.paths[2].read_bytes()[:length])
    with pytest.raises(DicomError) as caught:
        read(series)
    assert caught.value.reason == "unreadable_file"


def test_a_compressed_series_has_the_voxels_of_the_plain_one(dicom_factory):
    def pack(data, k):
        data.compress(RLELossless, generate_instance_uid=False)

    series = dicom_factory(stored=stored_values(seed=8), change=pack)
    np.testing.assert_array_equal(read(series).volume.array[0], series.stored * 2.0 - 1000.0)
