"""Random numbers depend on seed, patient and purpose alone; rotations and noise against formulas."""

import numpy as np
import pytest
from pydicom.uid import UID
from scipy.spatial.transform import Rotation

from lesionflow.data.geometry import Geometry
from lesionflow.phantoms.randomness import noise, rotation_matrix, stream, uid


def test_each_of_seed_patient_and_purpose_alone_gives_other_numbers() -> None:
    drawn = {stream(*key).integers(1 << 40) for key in ((7, 1, "a"), (8, 1, "a"), (7, 2, "a"), (7, 1, "b"))}
    assert len(drawn) == 4
    assert stream(7, 1, "a").integers(1 << 40) == stream(7, 1, "a").integers(1 << 40)
    stream(-1, 0, "a")  # a negative seed is a seed


def test_uids_are_valid_and_differ_where_what_they_name_differs() -> None:
    made = [uid(7, 1, "series", "CT"), uid(7, 1, "series", "PET"), uid(7, 2, "series", "CT"), uid(8, 1, "series", "CT")]
    assert len(set(made)) == 4
    assert all(UID(value).is_valid for value in made)
    assert uid(7, 1, "series", "CT") == made[0]


@pytest.mark.parametrize("degrees", [(30.0, 0.0, 0.0), (0.0, -50.0, 0.0), (0.0, 0.0, 120.0), (10.0, -20.0, 70.0)])
def test_rotations_are_scipys_about_x_then_y_then_z(degrees) -> None:
    np.testing.assert_allclose(
        rotation_matrix(degrees), Rotation.from_euler("xyz", degrees, degrees=True).as_matrix(), atol=1e-12
    )


def test_noise_has_mean_0_spread_1_and_its_length_in_mm_along_every_axis() -> None:
    spacing = (3.0, 0.8, 1.5)
    field = noise(np.random.default_rng(2), Geometry.from_parts((40, 120, 70), spacing), 4.0)
    assert abs(float(field.mean())) < 1e-3
    assert float(field.std()) == pytest.approx(1.0, abs=1e-3)
    for axis, step in enumerate(spacing):
        # White noise smoothed by a Gaussian of 4 mm: correlation exp(-d^2 / (4 x 4^2)) at distance d.
        lag = round(4.0 / step)
        n = field.shape[axis]
        one, other = np.take(field, range(n - lag), axis).ravel(), np.take(field, range(lag, n), axis).ravel()
        expected = np.exp(-((lag * step) ** 2) / (4 * 4.0**2))
        assert np.corrcoef(one, other)[0, 1] == pytest.approx(expected, abs=0.06), axis


def test_without_a_length_it_is_white() -> None:
    field = noise(np.random.default_rng(2), Geometry.from_parts((30, 40, 50), (3.0, 0.8, 0.5)), 0.0)
    assert abs(np.corrcoef(field[1:].ravel(), field[:-1].ravel())[0, 1]) < 0.02
