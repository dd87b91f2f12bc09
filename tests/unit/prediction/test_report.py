"""What is said beside a mask, against SimpleITK and figures worked out by hand."""

import dataclasses
import hashlib
import json

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from lesionflow import __version__
from lesionflow.data.calibration import FeatureGroup, InputProfile
from lesionflow.errors import InputError
from lesionflow.inference import Segmenter
from lesionflow.prediction.study import predict_study, segment_study
from support.bundles import small_calibration


def test_the_report_beside_the_mask_is_its_passport(model, segmenter, study, tmp_path):
    report = predict_study(model, segmenter, study, tmp_path / "mask.nii.gz", output_format="nifti")
    stored = json.loads((tmp_path / "mask.nii.gz.json").read_text())
    assert stored == report.model_dump(mode="json")
    labels = np.asarray(nibabel.load(tmp_path / "mask.nii.gz").dataobj).T
    told = stored["passport"]["mask"]
    assert (tuple(told["grid"]["shape"]), told["targets"]) == (labels.shape, {"tumor": [1]})
    by_hand = hashlib.sha256(json.dumps(told["grid"], separators=(",", ":")).encode() + b'"tumor"')
    by_hand.update(b"".join(np.packbits(plane == 1).tobytes() for plane in labels))
    assert told["sha256"] == by_hand.hexdigest()
    id_of = "\n".join((stored["passport"]["input_sha256"], model.bundle.digest, told["sha256"]))
    said = {name: value for name, value in stored.items() if name not in ("passport", "timings_s")}
    assert stored["passport"] == {
        "result_id": hashlib.sha256(id_of.encode()).hexdigest()[:32],
        "mask": told,
        "picture_sha256": None,
        "header_sha256": None,
        "study": None,
        "report_sha256": hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest(),
        "seal": stored["passport"]["seal"],
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
    answer = segment_study(model, segmenter, study).segmentation.answer
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
    found = segment_study(model, segmenter, study)
    segmentation = segmenter.finish(answer, found.volume)
    return dataclasses.replace(found, segmentation=segmentation)


def test_confidence_is_the_mean_probability_inside(model, segmenter, study):
    found = segment_study(model, segmenter, study)
    inside = found.segmentation.mask.labels == 1
    by_hand = float(np.asarray(found.segmentation.probabilities[0], dtype=np.float64)[inside].mean())
    assert found.report().targets[0].mean_confidence == pytest.approx(by_hand, abs=1e-4)
    assert by_hand > model.bundle.plan.inference.probability_threshold - 0.05


def test_what_was_fitted_is_told_in_report_and_passport(model, study):
    calibration = small_calibration()
    bundle = dataclasses.replace(model.bundle, calibration=calibration)
    fitted = dataclasses.replace(model, bundle=bundle)
    found = segment_study(fitted, Segmenter(bundle, device="cpu"), study)
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
    report = segment_study(fitted, Segmenter(bundle, device="cpu"), study).report()
    # ln of some hundred mm lies some fifty spreads from 0, of which at most 50 count: 50 / 1.0 / 2.0.
    assert report.input_check.score == pytest.approx(25.0, abs=3)
    assert (report.input_check.flagged, report.input_check.reasons) == (True, ("size",))
    assert any("unlike" in warning and "size" in warning for warning in report.warnings)
    assert report.passport.unusual_input is True


def test_lesions_are_simple_itks(model, segmenter, study):
    found = segment_study(model, segmenter, study)
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


def test_every_format_carries_the_warning_that_a_study_is_unlike(model, study, tmp_path):
    """A mask kept without its report says so by itself; `strict` writes none."""
    features = FeatureGroup(name="size", spreads=(0.1, 0.1, 0.1), cases=((0.0, 0.0, 0.0),), usual_distance=1.0)
    profile = InputProfile(groups=(features,), limit=2.0, false_alarm_fraction=0.0, n_cases=20)
    bundle = dataclasses.replace(model.bundle, calibration=small_calibration().model_copy(update={"profile": profile}))
    prediction = segment_study(dataclasses.replace(model, bundle=bundle), Segmenter(bundle, device="cpu"), study)
    plain = dataclasses.replace(prediction.segmentation, out_of_distribution=None)
    for name, found in (("unlike", prediction), ("plain", dataclasses.replace(prediction, segmentation=plain))):
        for output_format, end in (("dicom-seg", "dcm"), ("nifti", "nii.gz"), ("png", "png")):
            found.write(tmp_path / f"{name}.{end}", output_format)
    seg, plain_seg = (pydicom.dcmread(tmp_path / f"{name}.dcm") for name in ("unlike", "plain"))
    assert seg.SeriesDescription == "Tumor segmentation (research use only): UNLIKE TRAINING DATA"
    assert "by its size: do not rely on the mask" in seg.ImageComments
    assert plain_seg.SeriesDescription == "Tumor segmentation (research use only)"
    nifti, plain_nifti = (nibabel.load(tmp_path / f"{name}.nii.gz").header for name in ("unlike", "plain"))
    assert nifti["aux_file"].item() == b"UNLIKE TRAINING DATA"
    assert plain_nifti["aux_file"].item() == b""
    # A second line above the picture.
    assert (tmp_path / "unlike.png").read_bytes() != (tmp_path / "plain.png").read_bytes()
    with pytest.raises(InputError, match="Nothing was written") as refused:
        predict_study(
            dataclasses.replace(model, bundle=bundle), Segmenter(bundle, device="cpu"), study, tmp_path / "s.nii.gz",
            output_format="nifti", strict=True,
        )  # fmt: skip
    assert refused.value.reason == "unlike_training_data"
    assert not list(tmp_path.glob("s.nii.gz*"))
