import numpy as np
import pytest

from lesionflow.cohort.case_table import MEASURED, case_row, content_sha256, outline_contrast
from lesionflow.data.case import Case
from lesionflow.data.dataset import CASE_COLUMNS, CHANNEL_COLUMNS
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume

GIVEN = dict.fromkeys(MEASURED, 0.75)
GRID = Geometry.from_parts((5, 7, 11), (3.0, 0.8, 0.5))


def make_case(**changes):
    array = np.arange(2 * 5 * 7 * 11, dtype=np.float32).reshape(2, 5, 7, 11)
    labels = np.zeros((5, 7, 11), dtype=np.uint8)
    labels[0, 0, :2] = 1
    labels[1, 1, 2] = 2  # touches the first by a corner: one lesion
    labels[4, 6, 10] = 1
    values = {"mask": Mask(labels, GRID), "attributes": {"manufacturer": "Kneebone", "sex": "F"}, **changes}
    return Case("c-1", "p-1", ("CT", "PET"), Volume(array, GRID), values["mask"], values["attributes"])


def test_a_row_has_every_declared_column_and_no_other():
    row = case_row(make_case(), source_format="dicom", measured=GIVEN)
    channels = {f"{column}__{name}" for column in CHANNEL_COLUMNS for name in ("CT", "PET")}
    assert set(row) == set(CASE_COLUMNS) | channels


def test_the_figures_are_those_of_a_hand_count():
    row = case_row(make_case(), source_format="dicom", measured=GIVEN)
    assert (row["n_slices"], row["n_rows"], row["n_columns"]) == (5, 7, 11)
    assert (row["spacing_slice_mm"], row["spacing_row_mm"], row["spacing_column_mm"]) == (3.0, 0.8, 0.5)
    assert row["labels_present"] == "1,2"
    assert row["n_lesions"] == 2
    assert row["tumor_ml"] == pytest.approx(4 * 3.0 * 0.8 * 0.5 / 1000)
    assert row["has_mask"] is True
    assert (row["min__CT"], row["max__CT"], row["mean__CT"]) == (0.0, 384.0, 192.0)
    assert (row["min__PET"], row["max__PET"]) == (385.0, 769.0)
    assert row["n_nan__PET"] == 0
    assert row["p01__CT"] == pytest.approx(np.percentile(np.arange(385), 1), abs=7)
    assert (row["manufacturer"], row["sex"], row["site"]) == ("Kneebone", "F", "")
    assert row["inside_body_fraction"] == 0.75


def test_outline_contrast_is_that_of_a_hand_count():
    labels = np.zeros((3, 20, 21), np.uint8)
    labels[1, 8:11, 9:12] = 1
    rng = np.random.default_rng(3)
    image = rng.normal(0, 10, labels.shape).astype(np.float32)
    assert outline_contrast(image, labels) < 1.0
    marked = image + 70 * (labels > 0)
    rim = np.zeros(labels.shape, bool)
    for row in range(20):
        for column in range(21):
            rim[1, row, column] = 0 < max(8 - row, row - 10, 0) + max(9 - column, column - 11, 0) <= 4
    middle = np.median(marked[rim])
    expected = abs(np.median(marked[labels > 0]) - middle) / (1.4826 * np.median(np.abs(marked[rim] - middle)))
    assert outline_contrast(marked, labels) == pytest.approx(expected, rel=1e-5)
    assert np.isnan(outline_contrast(image, np.zeros_like(labels)))
    assert np.isnan(outline_contrast(image, np.ones_like(labels)))


def test_slices_that_are_flat_or_repeated_are_counted():
    array = np.random.default_rng(4).normal(size=(1, 9, 5, 7)).astype(np.float32)
    array[0, 0] = 0  # before the first that holds anything: padding, no gap
    array[0, 3] = -1000
    array[0, 6] = array[0, 5]
    array[0, 7] = array[0, 5]
    geometry = Geometry.from_parts((9, 5, 7), (3.0, 0.8, 0.5))
    row = case_row(Case("c", "p", ("CT",), Volume(array, geometry)), source_format="nnunet", measured=GIVEN)
    assert (row["n_flat_slices"], row["n_repeated_slices"]) == (1, 2)


def test_a_case_without_mask_says_so():
    row = case_row(make_case(mask=None, attributes={}), source_format="nnunet", measured=GIVEN)
    assert row["has_mask"] is False
    assert (row["tumor_ml"], row["n_lesions"], row["labels_present"], row["sex"]) == (0.0, 0, "", "")


def test_the_content_hash_looks_at_values_type_shape_and_place():
    array = np.arange(385, dtype=np.float32).reshape(5, 7, 11)
    hashes = {
        content_sha256(array, GRID),
        content_sha256(array + 1, GRID),
        content_sha256(array, Geometry.from_parts((5, 7, 11), (3.0, 0.8, 0.6))),
        content_sha256(array.reshape(11, 5, 7), Geometry.from_parts((11, 5, 7), (3.0, 0.8, 0.5))),
    }
    assert len(hashes) == 4
    assert content_sha256(np.asfortranarray(array), GRID) == content_sha256(array, GRID)


def test_what_is_not_known_is_no_tumor_and_no_background():
    labels = make_case().reference_mask.labels.copy()
    labels[2], labels[0, 1, :4] = 255, 255
    row = case_row(make_case(mask=Mask(labels, GRID)), source_format="dicom", measured=GIVEN)
    assert (row["labels_present"], row["n_lesions"]) == ("1,2", 2)
    assert row["tumor_ml"] == pytest.approx(4 * 3.0 * 0.8 * 0.5 / 1000)


def test_the_rim_of_an_outline_leaves_out_what_is_not_known():
    """As if the image ended there."""
    channel, labels = (
        np.random.default_rng(0).normal(size=(1, 20, 20)).astype(np.float32),
        np.zeros((1, 20, 20), np.uint8),
    )
    channel[0, :, 10:], labels[0, 8:12, 8:10], labels[0, :, 10:] = 1000.0, 1, 255
    assert outline_contrast(channel, labels) == outline_contrast(channel[..., :10], labels[..., :10])
