"""The report by highdicom, dciodvfy and dcmtk; that its volumes are the mask's is shown by the contract test of the output formats."""

import dataclasses
import re
import shutil
import subprocess

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.sr.codedict import codes

from lesionflow.data.quantities.target_finding import FoundLesion, Interval, PredictedDice
from lesionflow.io.dicom.writing.measurement_report import MOST_LESIONS
from lesionflow.prediction.writers.dicom_sr import WRITER
from support.dicom_factory import affine_by_hand
from support.hand_made import hand_made_prediction

BUNDLE = "0123456789abcdef" * 4


@pytest.fixture(scope="module")
def prediction(tmp_path_factory):
    made = hand_made_prediction(tmp_path_factory.mktemp("study"))
    whole, core = made.segmentation.findings
    whole = dataclasses.replace(whole, interval=Interval(0.02, 0.5, 0.9), predicted_dice=PredictedDice(0.81, 0.06))
    made.segmentation = dataclasses.replace(made.segmentation, findings=(whole, core))
    bundle = dataclasses.replace(made.model.bundle)
    object.__setattr__(bundle, "digest", BUNDLE)
    made.model = dataclasses.replace(made.model, bundle=bundle)
    return made


@pytest.fixture(scope="module")
def path(prediction, tmp_path_factory):
    folder = tmp_path_factory.mktemp("written")
    prediction.write(folder / "mask.dcm", "dicom-seg")
    prediction.write(folder / "m.sr.dcm", "dicom-sr")
    return folder / "m.sr.dcm"


def test_it_names_the_segments_of_the_seg_that_is_written_of_the_same_mask(path, prediction):
    seg = pydicom.dcmread(path.with_name("mask.dcm"))
    groups = hd.sr.srread(path).content.get_volumetric_roi_measurement_groups()
    names = {int(item.SegmentNumber): item.SegmentLabel for item in seg.SegmentSequence}
    for group in groups:
        segment = group.referenced_segment
        referred = segment[0].ReferencedSOPSequence[0]
        assert referred.ReferencedSOPInstanceUID == seg.SOPInstanceUID
        assert names[referred.ReferencedSegmentNumber] == group.tracking_identifier
        assert segment.source_series_for_segmentation.value == seg.ReferencedSeriesSequence[0].SeriesInstanceUID
    told = pydicom.dcmread(path).CurrentRequestedProcedureEvidenceSequence[0]
    evidence = {i.ReferencedSOPInstanceUID for s in told.ReferencedSeriesSequence for i in s.ReferencedSOPSequence}
    images = {pydicom.dcmread(file).SOPInstanceUID for file in prediction.study.reference_files}
    assert evidence == images | {seg.SOPInstanceUID}


def test_model_and_bundle_stand_as_the_observing_device_and_the_algorithm(path):
    told = [item.value for item in pydicom.dcmread(path).iterall() if item.keyword == "TextValue"]
    assert (told.count(BUNDLE), told.count(f"bundle {BUNDLE}")) == (1, 6)
    observers = {
        item.ConceptNameCodeSequence[0].CodeMeaning: item.get("TextValue")
        for item in pydicom.dcmread(path).ContentSequence
        if item.RelationshipType == "HAS OBS CONTEXT"
    }
    assert observers["Device Observer Name"] == "knees"
    assert observers["Device Observer Manufacturer"] == "lesionflow"
    assert observers["Device Observer Model Name"] == "knees 7"
    assert observers["Device Observer Serial Number"] == BUNDLE


def test_figures_of_targets_and_lesions_are_those_of_the_report(path, prediction):
    content = hd.sr.srread(path).content
    report = {target.name: target for target in prediction.report().targets}
    groups = content.get_volumetric_roi_measurement_groups()
    assert [group.tracking_identifier for group in groups] == list(report)
    figures = {m.name.value: float(m.value) for m in groups[0].get_measurements()}
    assert figures == {
        "118565006": report["whole"].volume_ml, "mean_confidence": report["whole"].mean_confidence,
        "interval_low": 0.02, "interval_high": 0.5, "coverage": 0.9, "predicted_dice": 0.81, "n_lesions": 2.0,
    }  # fmt: skip
    lesions = {group.tracking_identifier: group for group in content.get_image_measurement_groups()}
    assert list(lesions) == [f"{target} lesion {number}" for target in ("whole", "core") for number in (1, 2)]
    for name, group in lesions.items():
        target, number = name.split(" lesion ")
        told = report[target].lesions[int(number) - 1]
        found = {m.name.value: (float(m.value), m.unit.value) for m in group.get_measurements()}
        assert found["118565006"] == (told.volume_ml, "mL")
        assert found["103339001"] == (pytest.approx(told.longest_diameter_mm, abs=0.006), "mm")
        assert found["103340004"] == (pytest.approx(told.perpendicular_diameter_mm, abs=0.006), "mm")
        assert found["confidence"] == (told.confidence, "1")


def test_diameters_are_drawn_where_the_lesion_lies_by_the_images_own_headers(path, prediction):
    images = {pydicom.dcmread(f).SOPInstanceUID: pydicom.dcmread(f) for f in prediction.study.reference_files}
    (first, *_) = hd.sr.srread(path).content.get_image_measurement_groups()
    (long_axis,) = first.get_measurements(codes.SCT.LongAxis)
    line = long_axis.referenced_coordinates[0]
    image = images[line.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID]
    along_row, along_column = np.reshape(image.ImageOrientationPatient, (2, 3)).astype(float)
    row_mm, column_mm = map(float, image.PixelSpacing)
    # The first pixel's center is (0.5, 0.5) in a report and the image's position (PS3.3 C.18.6.1 and C.7.6.2.1.1).
    ends = [
        np.array(image.ImagePositionPatient, float)
        + (x - 0.5) * column_mm * along_row
        + (y - 0.5) * row_mm * along_column
        for x, y in np.reshape(line.GraphicData, (2, 2))
    ]
    assert np.linalg.norm(ends[1] - ends[0]) == pytest.approx(float(long_axis.value), abs=1e-3)
    # Rows 3 to 11, columns 4 to 14 of slice 2: the middle of the upper left pixel's edge to that of the lower right one's.
    affine = affine_by_hand()
    corners = [
        affine[:3] @ (2, *index, 1)
        for index in ((3, 3.5), (2.5, 4), (11, 14.5), (11.5, 14), (3, 14.5), (2.5, 14), (11, 3.5), (11.5, 4))
    ]
    for end in ends:
        assert min(np.linalg.norm(end - corner) for corner in corners) < 1e-3


def test_it_says_that_it_is_for_research_and_every_warning(path, prediction):
    data = pydicom.dcmread(path)
    comments = [item.TextValue for item in data.ContentSequence[-1].ContentSequence]
    assert comments == [
        "Research use only. Not a medical device: not for diagnosis or treatment.",
        *prediction.warnings,
    ]
    assert "research use only" in data.SeriesDescription
    assert data.VerificationFlag == "UNVERIFIED"


def test_of_thousands_of_specks_the_largest_are_told_of(prediction, tmp_path):
    (whole, core) = prediction.segmentation.findings
    specks = tuple(FoundLesion(1.0 - n / 1000, (0.0, 0.0, 0.0), 0.5) for n in range(MOST_LESIONS + 50))
    findings = (dataclasses.replace(whole, lesions=specks), core)
    other = dataclasses.replace(
        prediction, segmentation=dataclasses.replace(prediction.segmentation, findings=findings)
    )
    WRITER.write(tmp_path / "m.sr.dcm", other)
    content = hd.sr.srread(tmp_path / "m.sr.dcm").content
    groups = [g for g in content.get_image_measurement_groups() if g.tracking_identifier.startswith("whole")]
    assert len(groups) == MOST_LESIONS
    (told,) = content.get_volumetric_roi_measurement_groups()[0].get_measurements(
        hd.sr.CodedConcept("n_lesions", "99LESIONFLOW", "Number of lesions")
    )
    assert told.value == MOST_LESIONS + 50


def run(program, path):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed: its package of Debian is named in CONTRIBUTING.md")
    return subprocess.run([program, str(path)], capture_output=True, text=True, check=False)


def test_dciodvfy_finds_no_error(path):
    done = run("dciodvfy", path)
    assert "ComprehensiveSR" in done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("Error")] == []


def test_dcmtk_reads_the_same_volumes(path, prediction):
    done = run("dsrdump", path)
    assert done.returncode == 0
    volumes = [float(n) for n in re.findall(r'"Volume"\)="([0-9.]+)" \(mL,UCUM', done.stdout)]
    targets = prediction.report().targets
    expected = [n for target in targets for n in (target.volume_ml, *(lesion.volume_ml for lesion in target.lesions))]
    assert volumes == pytest.approx(expected)
