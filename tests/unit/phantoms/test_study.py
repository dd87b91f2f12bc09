"""Studies as values: volumes, anatomy, uptake; and that no threshold finds the tumors."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.phantoms import PhantomStudy, make_study, write_phantoms
from lesionflow.phantoms.anatomy.scene import Part, Scene, inside, render
from lesionflow.phantoms.anatomy.shapes import Blob, Ellipsoid, Tube
from lesionflow.phantoms.anatomy.tumors import draw_blob
from lesionflow.phantoms.dicom.pet import draw_pet_scan
from lesionflow.phantoms.patient import draw_patient

SEED = 7
#: Voxels of 5 x 3 x 3 mm against the exact volume: a tumor of 2 ml has fewer than fifty of them.
VOXEL_VOLUME_TOLERANCE = 0.12


@pytest.fixture(scope="module")
def studies() -> list[PhantomStudy]:
    return [make_study(SEED, index, "ct") for index in range(12)]


def test_volume_of_a_ball_and_of_an_ellipsoid() -> None:
    identity = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    assert Blob((1, 2, 3), (10, 10, 10), identity).volume_ml() == pytest.approx(4 / 3 * np.pi, rel=1e-6)
    assert Blob((0, 0, 0), (10, 20, 30), identity).volume_ml() == pytest.approx(4 / 3 * np.pi * 6, rel=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_volume_of_a_blob_by_counting_fine_voxels(seed: int) -> None:
    blob = draw_blob(np.random.default_rng(seed), 30.0, (4.0, -3.0, 2.0))
    geometry = Geometry.from_parts((91, 101, 111), (0.9, 0.8, 0.7), (-35, -43, -38))
    count = inside(Scene((), {}, np.eye(4)), blob, geometry).sum() * geometry.voxel_volume_ml
    assert count == pytest.approx(30.0, rel=0.01)
    assert blob.volume_ml() == pytest.approx(30.0, rel=1e-6)


def test_rendering_puts_a_body_where_pose_and_grid_say() -> None:
    pose = np.eye(4)
    pose[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    pose[:3, 3] = (5, -7, 11)
    geometry = Geometry.from_parts((13, 17, 19), (3.0, 2.0, 1.5), (-10, -20, -6))
    palette = {"background": {"CT": -1000.0}, "lead": {"CT": 500.0}}
    scene = Scene((Part(Ellipsoid((8.0, 2.0, 0.0), (5, 5, 5)), "lead", 1e-3),), palette, pose)
    image = render(scene, ("CT",), geometry)[0]
    # The pose takes (8, 2, 0) to (-2 + 5, 8 - 7, 0 + 11).
    index = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1)
    expected = np.linalg.norm(geometry.to_lps(index) - (3, 1, 11), axis=-1) < 5
    np.testing.assert_array_equal(image > 0, expected)
    assert expected.sum() > 30


def test_a_soft_edge_is_half_at_the_surface() -> None:
    geometry = Geometry.from_parts((1, 1, 41), (1.0, 1.0, 0.5), (-10, 0, 0))
    palette = {"background": {"CT": 0.0}, "tube": {"CT": 100.0}}
    scene = Scene((Part(Tube((-3, -50, 0), (-3, 50, 0), 5.0), "tube", 4.0),), palette, np.eye(4))
    profile = render(scene, ("CT",), geometry)[0, 0, 0]
    at = {-10 + 0.5 * k: float(v) for k, v in enumerate(profile)}
    assert at[2.0] == pytest.approx(50.0, abs=1e-3)
    assert at[1.0] == pytest.approx(75.0, abs=1e-3)
    assert at[4.5] == 0.0
    assert at[-1.0] == 100.0


def test_tumors_are_of_2_to_200_ml_and_whole_in_the_image(studies: list[PhantomStudy]) -> None:
    volumes = [t.body.volume_ml() for s in studies for t in s.tumors]
    assert len(volumes) >= 11
    assert all(1.999 <= v <= 200.001 for v in volumes)
    assert max(volumes) / min(volumes) > 4
    for study in studies:
        counted = np.count_nonzero(study.truth.labels) * study.truth.geometry.voxel_volume_ml
        assert counted == pytest.approx(study.label_ml["tumor"], rel=VOXEL_VOLUME_TOLERANCE, abs=1e-9)


def test_one_patient_in_ten_has_no_tumor() -> None:
    healthy = [draw_patient(SEED, index, "ct").healthy for index in range(30)]
    assert sum(healthy) == 3


def test_tumors_grow_in_several_organs(studies: list[PhantomStudy]) -> None:
    assert {t.site.organ for s in studies for t in s.tumors} >= {"lung", "liver", "muscle", "retroperitoneum"}


def test_tissues_have_their_hu(studies: list[PhantomStudy]) -> None:
    for study in studies[:4]:
        hu = study.channels["CT"].array[0]
        # The histogram of a torso: air, lung, fat, soft tissue and bone are all there.
        for low, high, least in ((-1024, -950, 0.2), (-900, -750, 0.01), (-130, -80, 0.03), (20, 140, 0.05)):
            assert np.mean((hu >= low) & (hu <= high)) > least, (study.patient.patient_id, low)
        assert np.mean(hu > 300) > 0.002


def best_dice(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Best Dice over all thresholds `score > t`, exact by sorting."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(truth[order])
    return float((2 * hits / (np.arange(1, len(hits) + 1) + truth.sum())).max())


def test_no_threshold_finds_the_tumors(studies: list[PhantomStudy]) -> None:
    scores = []
    for study in studies:
        if not study.tumors:
            continue
        hu, truth = study.channels["CT"].array[0].ravel().astype(float), study.truth.labels.ravel() > 0
        # Best threshold of this very patient from above and from below, and distance from the tumor's own mean HU.
        near = -np.abs(hu - hu[truth].mean())
        scores.append(max(best_dice(hu, truth), best_dice(-hu, truth), best_dice(near, truth)))
    assert np.mean(scores) < 0.25


@pytest.mark.parametrize("index", [1, 2])
def test_suv_computed_by_hand_from_the_stored_values(tmp_path: Path, index: int) -> None:
    write_phantoms(tmp_path, n_cases=1, first=index, seed=SEED, modality="petct")
    study = make_study(SEED, index, "petct")
    pet = study.channels["PET"]
    assert all(a > b for a, b in zip(pet.geometry.spacing_mm[1:], study.truth.geometry.spacing_mm[1:], strict=True))
    n_seen = 0
    for path in (tmp_path / "dicom").rglob("*"):
        if not path.is_file() or (file := pydicom.dcmread(path)).Modality != "PT":
            continue
        k = int(np.rint(pet.geometry.to_index([float(v) for v in file.ImagePositionPatient])[0]))
        value = file.pixel_array * float(file.RescaleSlope) + float(file.RescaleIntercept)
        if file.Units == "BQML":
            info = file.RadiopharmaceuticalInformationSequence[0]
            seconds = [
                int(t[:2]) * 3600 + int(t[2:4]) * 60 + int(t[4:6])
                for t in (file.SeriesTime, info.RadiopharmaceuticalStartTime)
            ]
            decayed = float(info.RadionuclideTotalDose) * 0.5 ** (
                (seconds[0] - seconds[1]) / float(info.RadionuclideHalfLife)
            )
            value = value * float(file.PatientWeight) * 1000 / decayed
        else:
            assert (file.Units, file.SUVType) == ("GML", "BW")
        np.testing.assert_allclose(value, pet.array[0, k], atol=2e-4 * max(1.0, float(pet.array[0, k].max())))
        n_seen += 1
    assert n_seen == pet.geometry.shape[0]


def test_pet_comes_in_both_units() -> None:
    assert {draw_pet_scan(draw_patient(SEED, k, "petct")).units for k in range(12)} == {"BQML", "GML"}


def test_healthy_organs_take_up_as_much_as_tumors() -> None:
    scores = []
    for index in range(3):
        study = make_study(SEED, index, "petct")
        (tumors,) = (study.truth.labels > 0,)
        if not tumors.any():
            continue
        grid, pet = study.truth.geometry, study.channels["PET"]
        index_of = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
        nearest = np.rint(pet.geometry.to_index(grid.to_lps(index_of))).astype(int)
        suv = pet.array[0][tuple(np.clip(nearest[..., i], 0, pet.geometry.shape[i] - 1) for i in range(3))]
        scores.append(best_dice(suv.ravel().astype(float), tumors.ravel()))
    assert np.mean(scores) < 0.75


def test_adding_pet_leaves_the_ct_as_it_is() -> None:
    alone, together = make_study(SEED, 2, "ct"), make_study(SEED, 2, "petct")
    np.testing.assert_array_equal(alone.channels["CT"].array, together.channels["CT"].array)
    np.testing.assert_array_equal(alone.truth.labels, together.truth.labels)


def test_a_glioma_is_nested_and_bright_where_it_should() -> None:
    study = make_study(SEED, 1, "mr4")
    labels = study.truth.labels
    voxel_ml = study.truth.geometry.voxel_volume_ml
    for name, label in study.labels.items():
        assert np.count_nonzero(labels == label) * voxel_ml == pytest.approx(study.label_ml[name], rel=0.1), name
    mean = {(n, v): float(c.array[0][labels == v].mean()) for n, c in study.channels.items() for v in (0, 1, 2, 3)}
    brain = {n: float(np.median(c.array[0][c.array[0] > 40])) for n, c in study.channels.items()}
    assert mean["T1c", 3] > 1.3 * brain["T1c"]
    assert mean["T1c", 3] > 1.2 * mean["T1", 3]
    assert mean["FLAIR", 2] > 1.3 * brain["FLAIR"]
    assert mean["T1c", 1] < mean["T1c", 3]
