"""From a study to a mask and its passport, against SimpleITK's and pydicom's view of the same files."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from lesionflow import __version__
from lesionflow.data.calibration import FeatureGroup, InputProfile
from lesionflow.errors import ArtifactError, ConfigError, InputError
from lesionflow.inference import Segmenter
from lesionflow.phantoms import write_phantoms
from lesionflow.prediction import study as predict
from support.bundles import small_calibration
from support.served_models import write_untrained_bundle


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = write_untrained_bundle(tmp_path_factory.mktemp("model") / "bundle", {"CT": "ct"})
    return predict.load_model(str(folder), None, "sqlite:///unused.db")


@pytest.fixture(scope="module")
def segmenter(model):
    return Segmenter(model.bundle, device="cpu")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    root = tmp_path_factory.mktemp("phantoms")
    return root / write_phantoms(root, n_cases=1, seed=4, modality="ct")[0].study


@pytest.fixture(scope="module")
def series(study):
    """The CT as SimpleITK reads it."""
    files = [p for p in study.rglob("*") if p.is_file()]
    slices = [p for p in files if pydicom.dcmread(p, specific_tags=["Modality"]).Modality == "CT"]
    normal = np.cross(*np.reshape(pydicom.dcmread(slices[0]).ImageOrientationPatient, (2, 3)).astype(float))
    slices.sort(key=lambda p: float(np.dot(normal, pydicom.dcmread(p).ImagePositionPatient)))
    return sitk.ReadImage([str(p) for p in slices])


def test_the_nifti_lies_on_the_grid_of_the_source(model, segmenter, study, series, tmp_path):
    report = predict.predict_study(model, segmenter, study, tmp_path / "mask.nii.gz", output_format="nifti")
    image = sitk.ReadImage(str(tmp_path / "mask.nii.gz"))
    found = sitk.Resample(image, series, sitk.Transform(), sitk.sitkNearestNeighbor, 255)
    labels = sitk.GetArrayFromImage(found)
    assert image.GetNumberOfPixels() == series.GetNumberOfPixels()
    assert set(np.unique(labels)) == {0, 1}
    voxel_ml = np.prod(series.GetSpacing()) / 1000
    target = report.targets[0]
    assert target.volume_ml == pytest.approx((labels == 1).sum() * voxel_ml, rel=1e-4)
    assert target.n_lesions == lesions(found)


def test_a_zipped_study_gives_the_masks_of_its_folder(model, segmenter, study, tmp_path):
    zipped = Path(shutil.make_archive(str(tmp_path / "study"), "zip", study))
    for source in (study, zipped):
        predict.predict_study(model, segmenter, source, tmp_path / f"{source.suffix}.dcm", output_format="dicom-seg")
    folder, archive = (pydicom.dcmread(tmp_path / name) for name in (".dcm", ".zip.dcm"))
    assert folder.PixelData == archive.PixelData
    assert folder.ReferencedSeriesSequence == archive.ReferencedSeriesSequence


def lesions(image):
    parts = sitk.ConnectedComponentImageFilter()
    parts.FullyConnectedOn()
    parts.Execute(image == 1)
    return parts.GetObjectCount()


def test_the_dicom_seg_marks_the_places_that_the_nifti_marks(model, segmenter, study, tmp_path):
    predict.predict_study(model, segmenter, study, tmp_path / "mask.nii.gz", output_format="nifti")
    predict.predict_study(model, segmenter, study, tmp_path / "mask.dcm", output_format="dicom-seg")
    seg = pydicom.dcmread(tmp_path / "mask.dcm")
    image = sitk.ReadImage(str(tmp_path / "mask.nii.gz"))
    labels = sitk.GetArrayFromImage(image)
    shared = seg.SharedFunctionalGroupsSequence[0]
    cosines = np.reshape(shared.PlaneOrientationSequence[0].ImageOrientationPatient, (2, 3)).astype(float)
    row_mm, column_mm = (float(v) for v in shared.PixelMeasuresSequence[0].PixelSpacing)
    frames = seg.pixel_array if seg.pixel_array.ndim == 3 else seg.pixel_array[None]
    total = 0
    for frame, groups in zip(frames, seg.PerFrameFunctionalGroupsSequence, strict=True):
        corner = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
        for row, column in np.argwhere(frame)[::97]:
            place = corner + row * row_mm * cosines[1] + column * column_mm * cosines[0]
            x, y, z = image.TransformPhysicalPointToIndex([float(v) for v in place])
            assert labels[z, y, x] == 1
        total += int(frame.sum())
    assert total == labels.sum()
    identification = seg.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0]
    assert identification.AlgorithmVersion == f"phantoms {model.version} {model.bundle.digest[:12]}"


def test_the_picture_shows_the_channels(model, segmenter, study, tmp_path):
    predict.predict_study(model, segmenter, study, tmp_path / "overlay.png", output_format="png")
    assert min(sitk.ReadImage(str(tmp_path / "overlay.png")).GetSize()) > 200


def test_the_report_beside_the_mask_is_its_passport(model, segmenter, study, tmp_path):
    report = predict.predict_study(model, segmenter, study, tmp_path / "mask.nii.gz", output_format="nifti")
    stored = json.loads((tmp_path / "mask.nii.gz.json").read_text())
    assert stored == report.model_dump(mode="json")
    assert stored["passport"] == {
        "model_name": "phantoms",
        "model_version": f"bundle-{model.bundle.digest[:12]}",
        "run_id": "run-1",
        "bundle_digest": model.bundle.digest,
        "plan_sha256": model.bundle.plan.digest(),
        "code_revision": "c0de",
        "data_revision": "da7a",
        "lesionflow_version": __version__,
        "input_sha256": stored["passport"]["input_sha256"],
        "created_at": stored["passport"]["created_at"],
        "predicted_dice": None,
        "unusual_input": None,
    }
    assert len(stored["passport"]["input_sha256"]) == 64
    assert "Research use only" in stored["disclaimer"]
    assert stored["timings_s"]["total"] == pytest.approx(
        sum(v for k, v in stored["timings_s"].items() if k != "total"), abs=1e-3
    )
    assert "PHANTOM" not in json.dumps(stored), "nothing of the source's names"


def test_an_empty_mask_has_no_confidence_and_a_warning(model, segmenter, study):
    answer = predict.segment_study(model, segmenter, study).segmentation.answer
    silent = dataclasses.replace(answer, probabilities=np.zeros_like(answer.probabilities))
    report = _concluded(model, segmenter, study, silent).report()
    assert report.targets[0].model_dump() == {
        "name": "tumor",
        "volume_ml": 0.0,
        "n_lesions": 0,
        "mean_confidence": None,
        "volume_interval": None,
        "predicted_dice": None,
        "lesions": (),
    }
    assert report.input_check is None
    assert report.warnings == ("No tumor was found.",)


def _concluded(model, segmenter, study, answer):
    """The prediction that this answer of the network would have given."""
    found = predict.segment_study(model, segmenter, study)
    segmentation = segmenter.finish(answer, found.volume)
    return dataclasses.replace(found, segmentation=segmentation)


def test_confidence_is_the_mean_probability_inside(model, segmenter, study):
    found = predict.segment_study(model, segmenter, study)
    inside = found.segmentation.mask.labels == 1
    by_hand = float(np.asarray(found.segmentation.probabilities[0], dtype=np.float64)[inside].mean())
    assert found.report().targets[0].mean_confidence == pytest.approx(by_hand, abs=1e-4)
    assert by_hand > model.bundle.plan.inference.probability_threshold - 0.05


def test_what_was_fitted_is_told_in_report_and_passport(model, study):
    calibration = small_calibration()
    bundle = dataclasses.replace(model.bundle, calibration=calibration)
    fitted = dataclasses.replace(model, bundle=bundle)
    found = predict.segment_study(fitted, Segmenter(bundle, device="cpu"), study)
    report = found.report()
    (target,) = report.targets
    assert target.n_lesions == len(target.lesions) <= 1, "the rules keep the largest only"
    # Half the logit, then at 0.4.
    raw = 1 / (1 + ((1 - 0.4) / 0.4) ** 2)
    assert (found.segmentation.answer.probabilities >= raw).any()
    factor = np.exp(0.5)
    interval = target.volume_interval
    assert interval.coverage == 0.9
    assert interval.low_ml == pytest.approx(max((target.volume_ml + 1) / factor - 1, 0), abs=1e-3)
    assert interval.high_ml == pytest.approx((target.volume_ml + 1) * factor - 1, abs=1e-3)
    assert target.predicted_dice.mean_absolute_error == 0.07
    # What the network gave less than 0.02, its logit halved, is 0.125: negligible.
    inside = found.segmentation.mask.labels == 1
    probabilities = np.asarray(found.segmentation.probabilities[0], dtype=np.float64)
    expected = 2 * probabilities[inside].sum() / (inside.sum() + probabilities[probabilities >= 0.125].sum())
    assert target.predicted_dice.value == pytest.approx(0.1 + 0.9 * expected, abs=1e-3)
    mean = probabilities[inside].mean()
    by_hand = 1 / (1 + np.exp(0.5 - 1.5 * np.log(mean / (1 - mean))))
    assert target.lesions[0].confidence == pytest.approx(by_hand, abs=1e-3)
    assert report.passport.predicted_dice == {"tumor": target.predicted_dice.value}
    assert report.passport.unusual_input is None


def test_a_study_unlike_the_training_data_is_warned_of(model, study):
    features = FeatureGroup(name="size", spreads=(0.1, 0.1, 0.1), cases=((0.0, 0.0, 0.0),), usual_distance=1.0)
    profile = InputProfile(groups=(features,), limit=2.0, false_alarm_fraction=0.0, n_cases=20)
    calibration = small_calibration().model_copy(update={"profile": profile})
    bundle = dataclasses.replace(model.bundle, calibration=calibration)
    fitted = dataclasses.replace(model, bundle=bundle)
    report = predict.segment_study(fitted, Segmenter(bundle, device="cpu"), study).report()
    # ln of some hundred mm lies some fifty spreads from 0, of which at most 50 count: 50 / 1.0 / 2.0.
    assert report.input_check.score == pytest.approx(25.0, abs=3)
    assert (report.input_check.flagged, report.input_check.reasons) == (True, ("size",))
    assert any("unlike" in warning and "size" in warning for warning in report.warnings)
    assert report.passport.unusual_input is True


def test_lesions_are_simple_itks(model, segmenter, study):
    found = predict.segment_study(model, segmenter, study)
    mask, probabilities = found.segmentation.mask, found.segmentation.probabilities[0]
    image = sitk.GetImageFromArray(mask.labels)
    parts = sitk.ConnectedComponent(image == 1, True)
    numbers = sitk.GetArrayFromImage(parts)
    by_hand = []
    for number in range(1, numbers.max() + 1):
        places = np.argwhere(numbers == number)
        center = mask.geometry.to_lps(places.mean(axis=0))
        volume_ml = len(places) * np.prod(mask.geometry.spacing_mm) / 1000
        by_hand.append((volume_ml, *center, float(probabilities[numbers == number].mean(dtype=np.float64))))
    lesions = found.report().targets[0].lesions
    assert [lesion.volume_ml for lesion in lesions] == sorted((lesion.volume_ml for lesion in lesions), reverse=True)
    ours = [(lesion.volume_ml, *lesion.center_mm, lesion.confidence) for lesion in lesions]
    np.testing.assert_allclose(sorted(ours), np.array(sorted(by_hand)), atol=0.051)
    for column in (0, -1):
        np.testing.assert_allclose(
            [row[column] for row in sorted(ours)], [row[column] for row in sorted(by_hand)], atol=1.1e-4
        )


def test_a_nifti_study_has_no_dicom_seg(model, segmenter, series, tmp_path):
    sitk.WriteImage(series, str(tmp_path / "ct.nii.gz"))
    with pytest.raises(InputError) as error:
        predict.predict_study(
            model, segmenter, tmp_path / "ct.nii.gz", tmp_path / "mask.dcm", output_format="dicom-seg"
        )
    assert error.value.reason == "source_is_not_dicom"
    assert [p.name for p in tmp_path.iterdir()] == ["ct.nii.gz"]


def test_the_mask_does_not_depend_on_names_of_files_or_folders(model, segmenter, study, tmp_path):
    scattered = tmp_path / "other"
    for number, path in enumerate(sorted((p for p in study.rglob("*") if p.is_file()), reverse=True)):
        place = scattered / str(number % 3) / f"{number}.ima"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())
    one, other = (predict.segment_study(model, segmenter, folder) for folder in (study, scattered))
    np.testing.assert_array_equal(one.segmentation.mask.labels, other.segmentation.mask.labels)
    assert one.report().case_id == other.report().case_id


def test_an_unknown_format_is_refused(model, segmenter, study, tmp_path):
    with pytest.raises(ConfigError, match="dicom-seg"):
        predict.segment_study(model, segmenter, study).write(tmp_path / "mask.bmp", "bmp")


def test_an_alias_needs_the_name_of_a_model():
    with pytest.raises(ConfigError, match="LESIONFLOW_MODEL_NAME"):
        predict.load_model("champion", None, "sqlite:///unused.db")


def test_a_folder_without_a_bundle_is_refused(tmp_path):
    with pytest.raises(ArtifactError):
        predict.load_model(str(tmp_path), None, "sqlite:///unused.db")
