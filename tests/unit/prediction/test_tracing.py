"""Files that were given out, then harmed by other programs: what is told of each."""

import dataclasses
import gzip
import json
import shutil

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from lesionflow.prediction.passport import Passport
from lesionflow.prediction.tracing import State, trace_file
from support.hand_made import hand_made_prediction

KEY = "lesionflow-passport"
#: What a passport says of the one file in which it lies.
FILES_OWN = ("picture_sha256", "study", "report_sha256", "header_sha256", "created_at", "seal")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """One prediction of two overlapping targets in every format, and its report."""
    folder = tmp_path_factory.mktemp("written")
    prediction = hand_made_prediction(tmp_path_factory.mktemp("series"))
    prediction.write(folder / "mask.nii.gz", "nifti")
    prediction.write(folder / "mask.dcm", "dicom-seg")
    prediction.write(folder / "mask.seg.nrrd", "nrrd")
    prediction.write(folder / "overlay.png", "png")
    prediction.write(folder / "mask.rtstruct.dcm", "rtstruct")
    prediction.write(folder / "measurements.sr.dcm", "dicom-sr")
    (folder / "report.json").write_text(prediction.report().model_dump_json())
    return folder


@pytest.fixture
def folder(written, tmp_path):
    return shutil.copytree(written, tmp_path / "own")


def states(path):
    return {finding.what: finding.state for finding in trace_file(path).findings}


def raw_passports(folder):
    """The passport of each file, as other libraries find it."""
    seg = pydicom.dcmread(folder / "mask.dcm")
    (extension,) = nibabel.load(folder / "mask.nii.gz").header.extensions
    with Image.open(folder / "overlay.png") as picture:
        text = picture.text[KEY]
    outlines = pydicom.dcmread(folder / "mask.rtstruct.dcm")
    figures = pydicom.dcmread(folder / "measurements.sr.dcm")
    return {
        "measurements.sr.dcm": json.loads(figures[0x0099, 0x1001].value),
        "mask.rtstruct.dcm": json.loads(outlines[0x0099, 0x1001].value),
        "mask.dcm": json.loads(seg[0x0099, 0x1001].value),
        "mask.seg.nrrd": json.loads(SimpleITK.ReadImage(folder / "mask.seg.nrrd").GetMetaData(KEY)),
        "mask.nii.gz": json.loads(extension.get_content().rstrip(b"\0")),
        "overlay.png": json.loads(text),
        "report.json": json.loads((folder / "report.json").read_text())["passport"],
    }


def test_every_file_holds_the_same_passport(folder):
    found = raw_passports(folder)
    shared = [{k: v for k, v in p.items() if k not in FILES_OWN} for p in found.values()]
    assert all(other == shared[0] for other in shared)
    assert shared[0]["mask"]["targets"] == {"whole": [1, 2], "core": [1]}
    assert {p["picture_sha256"] is None for name, p in found.items() if name != "overlay.png"} == {True}
    labels = np.asarray(nibabel.load(folder / "mask.nii.gz").dataobj)
    assert set(np.unique(labels)) == {0, 1, 2}


@pytest.mark.parametrize(
    ("name", "things"),
    [
        ("mask.dcm", ("mask", "study", "header")),
        ("mask.rtstruct.dcm", ("mask", "study", "header")),
        ("mask.nii.gz", ("mask",)),
        ("mask.seg.nrrd", ("mask",)),
        ("overlay.png", ("picture",)),
    ],
)
def test_what_was_given_out_is_whole(folder, name, things):
    assert states(folder / name) == dict.fromkeys(("passport", *things), State.HELD)


def test_a_report_is_whole_and_has_no_voxels_to_look_at(folder):
    assert states(folder / "report.json") == {"passport": State.HELD, "mask": State.UNCHECKED, "report": State.HELD}


@pytest.mark.parametrize(
    "edit",
    [
        lambda report: report["targets"][0].update(volume_ml=99.0),
        lambda report: report.update(warnings=["nothing to worry about"]),
        lambda report: report.update(case_id="s-other"),
        lambda report: report.pop("disclaimer"),
    ],
)
def test_a_report_of_which_a_figure_or_a_word_was_edited_is_altered(folder, edit):
    report = json.loads((folder / "report.json").read_text())
    edit(report)
    (folder / "report.json").write_text(json.dumps(report))
    assert states(folder / "report.json")["report"] is State.ALTERED


def set_patient(data):
    data.PatientID = "somebody else"


def set_study(data):
    data.StudyInstanceUID = "1.2.3.4"


def set_frame(data):
    data.FrameOfReferenceUID = "1.2.3.4"


def set_series(data):
    for series in data.get("ReferencedSeriesSequence") or rt_series(data):
        series.SeriesInstanceUID = "1.2.3.4"


def set_image(data):
    if "ReferencedSeriesSequence" in data:
        data.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID = "1.2.3.4"
    else:
        rt_series(data)[0].ContourImageSequence[0].ReferencedSOPInstanceUID = "1.2.3.4"


def rt_series(data):
    return data.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0].RTReferencedSeriesSequence


@pytest.mark.parametrize("name", ["mask.dcm", "mask.rtstruct.dcm"])
@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (set_patient, "patient"),
        (set_study, "study"),
        (set_frame, "frame of reference"),
        (set_series, "series"),
        (set_image, "the images that it refers to"),
    ],
)
def test_a_mask_that_was_given_to_another_patient_or_study_is_altered(folder, name, harm, said):
    data = pydicom.dcmread(folder / name)
    harm(data)
    data.save_as(folder / name)
    found = states(folder / name)
    assert found.pop("header") is State.ALTERED
    assert found == {"passport": State.HELD, "mask": State.HELD, "study": State.ALTERED}
    detail = {finding.what: finding.detail for finding in trace_file(folder / name).findings}["study"]
    assert detail == f"not those that it was written for: {said}"


@pytest.mark.parametrize("name", ["mask.dcm", "mask.rtstruct.dcm"])
def test_a_passport_gives_no_identifier_away_and_one_without_the_study_still_reads_and_says_so(folder, name):
    data = pydicom.dcmread(folder / name)
    text = data[0x0099, 0x1001].value
    for value in (data.PatientID, data.StudyInstanceUID, data.FrameOfReferenceUID):
        assert str(value)
        assert str(value) not in text
    old = Passport.model_validate_json(text).for_file()
    assert "study" not in json.loads(old)
    data[0x0099, 0x1001].value = old
    set_patient(data)
    data.save_as(folder / name)
    unchecked = dict.fromkeys(("study", "header"), State.UNCHECKED)
    assert states(folder / name) == {"passport": State.HELD, "mask": State.HELD, **unchecked}


def edit_seg(data, what):
    segment = data.SegmentSequence[0]
    edits = {
        "SegmentDescription": segment,
        "SegmentAlgorithmType": segment,
        "SegmentLabel": segment,
        "CodeValue": segment.SegmentedPropertyTypeCodeSequence[0],
    }
    setattr(edits.get(what, data), what, "MANUAL" if what == "SegmentAlgorithmType" else EDITED.get(what, "1.2.3.4"))


def edit_outlines(data, what):
    observed = data.RTROIObservationsSequence[0]
    at = observed if what in ("ROIObservationLabel", "RTROIInterpretedType", "ROIInterpreter") else data
    setattr(at, what, EDITED.get(what, "ORGAN"))


def edit_report(data, what):
    setattr(data, what, {"VerificationFlag": "VERIFIED"}.get(what, EDITED.get(what)))


EDITED = {
    "PatientName": "Somebody^Else",
    "PatientBirthDate": "19500101",
    "PatientSex": "M",
    "AccessionNumber": "4711",
    "SeriesDescription": "approved",
    "ContentCreatorName": "Doe^Jane",
    "ApprovalStatus": "APPROVED",
    "SegmentDescription": "harmless",
    "SOPInstanceUID": "1.2.3.4",
    "StudyDate": "19990101",
}


@pytest.mark.parametrize(
    ("name", "edit", "what"),
    [
        *(("mask.dcm", edit_seg, what) for what in (*EDITED, "SegmentAlgorithmType", "CodeValue")),
        *(("mask.rtstruct.dcm", edit_outlines, what) for what in ("ROIObservationLabel", "RTROIInterpretedType")),
        *(("mask.rtstruct.dcm", edit_outlines, what) for what in ("ApprovalStatus", "PatientName", "SOPInstanceUID")),
        *(("measurements.sr.dcm", edit_report, what) for what in ("PatientName", "VerificationFlag")),
    ],
)
def test_what_a_dicom_object_says_beside_its_mask_is_covered(folder, name, edit, what):
    data = pydicom.dcmread(folder / name)
    edit(data, what)
    data.save_as(folder / name)
    found = states(folder / name)
    assert found.pop("header") is State.ALTERED
    assert set(found.values()) <= {State.HELD, State.UNCHECKED}


@pytest.mark.parametrize("name", ["mask.dcm", "mask.rtstruct.dcm", "measurements.sr.dcm"])
def test_an_archive_that_writes_it_otherwise_alters_nothing(folder, name):
    data = pydicom.dcmread(folder / name)
    data.ensure_file_meta()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    data.file_meta.SourceApplicationEntityTitle = "ARCHIVE"
    data.PatientName = f"{data.PatientName}^^"
    equipment = pydicom.Dataset()
    equipment.Manufacturer = "An archive"
    data.ContributingEquipmentSequence.append(equipment)
    data.add_new(0x00111010, "LO", "the archive's own")
    data.save_as(folder / name, implicit_vr=True, little_endian=True)
    assert states(folder / name)["header"] is State.HELD


def test_the_passport_of_another_file_is_altered_whatever_the_file(folder, tmp_path):
    """Of the same series by another model: study and grid are the same, the mask is another."""
    other = hand_made_prediction(tmp_path / "series")
    labels = other.segmentation.mask.labels.copy()
    labels[3, 2:5, 2:5] = 1
    mask = dataclasses.replace(other.segmentation.mask, labels=labels)
    other.segmentation = dataclasses.replace(other.segmentation, mask=mask)
    other.write(tmp_path / "other.dcm", "dicom-seg")
    ours, theirs = (pydicom.dcmread(path) for path in (folder / "mask.dcm", tmp_path / "other.dcm"))
    ours[0x0099, 0x1001].value = theirs[0x0099, 0x1001].value
    ours.save_as(folder / "mask.dcm")
    assert states(folder / "mask.dcm")["mask"] is State.ALTERED
    image = nibabel.load(folder / "mask.nii.gz")
    text = theirs[0x0099, 0x1001].value.encode()
    image.header.extensions[0] = nibabel.nifti1.Nifti1Extension(6, text)
    nibabel.save(image, folder / "mask.nii.gz")
    assert states(folder / "mask.nii.gz")["mask"] is State.ALTERED
    with Image.open(folder / "overlay.png") as picture:
        kept = PngInfo()
        kept.add_itxt(KEY, text.decode())
        picture.save(folder / "overlay.png", pnginfo=kept)
    assert states(folder / "overlay.png")["picture"] is State.ALTERED
    report = json.loads((folder / "report.json").read_text()) | {"passport": json.loads(text)}
    (folder / "report.json").write_text(json.dumps(report))
    assert states(folder / "report.json")["report"] is State.UNCHECKED


def empty_seg(path):
    data = pydicom.dcmread(path)
    data.PixelData = bytes(len(data.PixelData))
    data.save_as(path)


def move_seg(path):
    data = pydicom.dcmread(path)
    for groups in data.PerFrameFunctionalGroupsSequence:
        position = groups.PlanePositionSequence[0].ImagePositionPatient
        groups.PlanePositionSequence[0].ImagePositionPatient = [position[0] + 0.3, *position[1:]]
    data.save_as(path)


def rename_segment(path):
    data = pydicom.dcmread(path)
    data.SegmentSequence[0].SegmentLabel = "liver"
    data.save_as(path)


def flip_bit(path):
    data = pydicom.dcmread(path)
    pixels = bytearray(data.PixelData)
    pixels[0] ^= 1
    data.PixelData = bytes(pixels)
    data.save_as(path)


@pytest.mark.parametrize("harm", [empty_seg, move_seg, rename_segment, flip_bit])
def test_a_seg_that_was_edited_is_altered_though_its_passport_is_not(folder, harm):
    harm(folder / "mask.dcm")
    found = states(folder / "mask.dcm")
    found.pop("header")
    assert found == {"passport": State.HELD, "mask": State.ALTERED, "study": State.HELD}


def drop_contour(data):
    del data.ROIContourSequence[0].ContourSequence[0]


def move_contour(data):
    contour = data.ROIContourSequence[0].ContourSequence[0]
    contour.ContourData = [float(value) + 2.0 for value in contour.ContourData]


def rename_structure(data):
    data.StructureSetROISequence[0].ROIName = "liver"


@pytest.mark.parametrize("harm", [drop_contour, move_contour, rename_structure])
def test_outlines_that_were_edited_are_altered(folder, harm):
    data = pydicom.dcmread(folder / "mask.rtstruct.dcm")
    harm(data)
    data.save_as(folder / "mask.rtstruct.dcm")
    found = states(folder / "mask.rtstruct.dcm")
    found.pop("header")
    assert found == {"passport": State.HELD, "mask": State.ALTERED, "study": State.HELD}


def test_a_seg_stored_again_by_pydicom_is_whole(folder):
    data = pydicom.dcmread(folder / "mask.dcm")
    data.save_as(folder / "again.dcm", implicit_vr=False, little_endian=True)
    assert set(states(folder / "again.dcm").values()) == {State.HELD}


def test_a_seg_whose_private_elements_were_dropped_still_names_its_model(folder):
    data = pydicom.dcmread(folder / "mask.dcm")
    data.remove_private_tags()
    data.save_as(folder / "mask.dcm")
    (finding,) = trace_file(folder / "mask.dcm").findings
    assert finding.state is State.ABSENT
    assert "another program" in finding.detail


def edited(path, change):
    image = nibabel.load(path)
    labels, affine = change(np.asarray(image.dataobj).copy(), image.affine.copy())
    made = nibabel.Nifti1Image(labels, affine)
    made.header.extensions.extend(image.header.extensions)
    nibabel.save(made, path)


def emptied(labels, affine):
    return labels * 0, affine


def relabelled(labels, affine):
    return np.where(labels == 1, 2, labels).astype(np.uint8), affine


def with_a_strange_label(labels, affine):
    labels[0, 0, 0] = 9
    return labels, affine


def one_voxel_more(labels, affine):
    labels[0, 0, 0] = 2
    return labels, affine


def moved(labels, affine):
    affine[0, 3] += 0.4
    return labels, affine


def turned(labels, affine):
    return labels[::-1], affine


@pytest.mark.parametrize("change", [emptied, relabelled, with_a_strange_label, one_voxel_more, moved, turned])
def test_a_nifti_that_was_edited_is_altered(folder, change):
    edited(folder / "mask.nii.gz", change)
    assert states(folder / "mask.nii.gz") == {"passport": State.HELD, "mask": State.ALTERED}


@pytest.mark.parametrize("change", [emptied, relabelled, one_voxel_more, moved, turned])
def test_a_nrrd_that_was_edited_is_altered(folder, change):
    path = folder / "mask.seg.nrrd"
    image = SimpleITK.ReadImage(path)
    affine = np.eye(4)
    affine[:3, 3] = image.GetOrigin()
    labels, affine = change(SimpleITK.GetArrayFromImage(image), affine)
    again = SimpleITK.GetImageFromArray(labels)
    again.CopyInformation(image)
    again.SetOrigin(affine[:3, 3])
    for key in image.GetMetaDataKeys():
        again.SetMetaData(key, image.GetMetaData(key))
    SimpleITK.WriteImage(again, path)
    assert states(path) == {"passport": State.HELD, "mask": State.ALTERED}


def test_a_nrrd_is_traced_by_what_it_is_and_not_by_its_name(folder):
    other = (folder / "mask.seg.nrrd").rename(folder / "renamed.bin")
    assert set(states(other).values()) == {State.HELD}
    (folder / "bare.seg.nrrd").write_bytes(other.read_bytes().replace(KEY.encode(), b"x" * len(KEY)))
    assert states(folder / "bare.seg.nrrd") == {"passport": State.ABSENT}


def test_a_nifti_of_the_same_voxels_is_whole_whatever_they_are_stored_as(folder):
    edited(folder / "mask.nii.gz", lambda labels, affine: (labels.astype(np.float32), affine))
    assert set(states(folder / "mask.nii.gz").values()) == {State.HELD}


def test_a_nifti_stored_again_without_extensions_is_told_by_its_header_and_not_whole(folder):
    image = nibabel.load(folder / "mask.nii.gz")
    bare = nibabel.Nifti1Image(np.asarray(image.dataobj), image.affine)
    bare.header["descrip"] = image.header["descrip"]
    nibabel.save(bare, folder / "mask.nii.gz")
    assert states(folder / "mask.nii.gz") == {"passport": State.ABSENT}


def test_a_picture_that_was_painted_over_is_altered_and_one_stored_again_has_no_passport(folder):
    with Image.open(folder / "overlay.png") as picture:
        text, painted = picture.text, picture.copy()
        picture.save(folder / "again.png")
    assert states(folder / "again.png") == {"passport": State.ABSENT}
    painted.putpixel((3, 3), (1, 2, 3) if painted.mode == "RGB" else (1, 2, 3, 255))
    kept = PngInfo()
    kept.add_itxt(KEY, text[KEY])
    painted.save(folder / "painted.png", pnginfo=kept)
    assert states(folder / "painted.png") == {"passport": State.HELD, "picture": State.ALTERED}


def test_another_run_in_a_report_is_seen(folder):
    report = json.loads((folder / "report.json").read_text())
    report["passport"]["run_id"] = "run-of-another"
    (folder / "report.json").write_text(json.dumps(report))
    assert states(folder / "report.json")["passport"] is State.ALTERED


def test_another_run_in_a_nifti_is_seen(folder):
    image = nibabel.load(folder / "mask.nii.gz")
    told = json.loads(image.header.extensions[0].get_content().rstrip(b"\0")) | {"run_id": "other"}
    image.header.extensions[0] = nibabel.nifti1.Nifti1Extension(6, json.dumps(told).encode())
    nibabel.save(image, folder / "mask.nii.gz")
    assert states(folder / "mask.nii.gz") == {"passport": State.ALTERED, "mask": State.HELD}


@pytest.mark.parametrize(
    "content", [b"", b"text", b"{", b'{"passport": {}}', b"\x89PNG\r\n\x1a\n", gzip.compress(b"x", mtime=0), b"[]"]
)
@pytest.mark.parametrize("name", ["a.json", "a.nii.gz", "a.dcm"])
def test_what_is_none_of_ours_has_no_passport(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    found = trace_file(tmp_path / name)
    assert found.passport is None
    assert {finding.state for finding in found.findings} <= {State.ABSENT, State.BROKEN}


def test_a_report_of_the_older_form_is_not_called_whole(folder):
    report = json.loads((folder / "report.json").read_text())
    for field in ("result_id", "mask", "picture_sha256", "seal"):
        del report["passport"][field]
    (folder / "report.json").write_text(json.dumps(report))
    assert states(folder / "report.json")["passport"] is State.BROKEN


SR = "measurements.sr.dcm"


def test_figures_are_whole_and_their_voxels_stand_elsewhere(folder):
    assert states(folder / SR) == {
        "passport": State.HELD,
        "mask": State.UNCHECKED,
        "study": State.HELD,
        "header": State.HELD,
        "figures": State.HELD,
    }
    # Of the same images as the mask: an integrator may tell by it that both are one patient's.
    found = raw_passports(folder)
    assert found[SR]["study"]["patient"] != ""
    assert found[SR]["result_id"] == found["mask.dcm"]["result_id"]


def edit_number(data):
    next(item for item in data.iterall() if item.keyword == "NumericValue").value = "99"


def edit_unit(data):
    next(item for item in data.iterall() if item.keyword == "MeasurementUnitsCodeSequence").value[0].CodeValue = "L"


def edit_words(data):
    data.ContentSequence[-1].ContentSequence[0].TextValue = "For diagnosis."


def edit_line(data):
    line = next(item for item in data.iterall() if item.keyword == "GraphicData")
    line.value = [line.value[0] + 1.0, *line.value[1:]]


def edit_segment(data):
    next(item for item in data.iterall() if item.keyword == "ReferencedSegmentNumber").value = 2


def leave_a_group_out(data):
    groups = next(item for item in data.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "126010")
    del groups.ContentSequence[0]


@pytest.mark.parametrize(
    "harm", [edit_number, edit_unit, edit_words, edit_line, edit_segment, leave_a_group_out], ids=lambda f: f.__name__
)
def test_figures_that_were_edited_are_altered(folder, harm):
    data = pydicom.dcmread(folder / SR)
    harm(data)
    data.save_as(folder / SR)
    found = states(folder / SR)
    assert (found["passport"], found["figures"]) == (State.HELD, State.ALTERED)


def test_figures_stored_again_by_another_coding_are_whole(folder):
    data = pydicom.dcmread(folder / SR)
    data.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    data.save_as(folder / SR, implicit_vr=True, little_endian=True)
    assert states(folder / SR)["figures"] is State.HELD


def test_figures_given_to_another_patient_are_altered(folder):
    data = pydicom.dcmread(folder / SR)
    set_patient(data)
    data.save_as(folder / SR)
    assert states(folder / SR)["study"] is State.ALTERED
