"""Every output format, read back by a library that is not ours. A new one needs its row in `READ_BACK`, and nothing else here."""

import argparse
import dataclasses
import io
import json
import pkgutil
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import highdicom
import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK
from matplotlib.path import Path as Path2D
from PIL import Image
from scipy import ndimage
from scipy.spatial import cKDTree

from lesionflow.cli import predict_command
from lesionflow.config import Settings
from lesionflow.data.bundle import Bundle
from lesionflow.data.dataset import Dataset
from lesionflow.data.volume import Mask
from lesionflow.errors import InputError, LesionFlowError
from lesionflow.inference import Segmentation
from lesionflow.io.inputs import read_input
from lesionflow.io.stores.bundles import write_bundle
from lesionflow.prediction import writers
from lesionflow.prediction.served_model import ServedModel
from lesionflow.prediction.study import Prediction
from lesionflow.prediction.writers import WRITERS
from lesionflow.preprocessing import align_channels
from lesionflow.serving.api import create_app
from lesionflow.serving.results.formats import ANSWERS, choose_answer
from lesionflow.serving.settings import ServiceSettings
from support.bundles import constant_bundle, small_bundle
from support.dicom_factory import SPACING_MM, WrittenSeries, write_series
from support.hand_made import findings_of
from support.service_client import TestClient, wait_until_ready

SHAPE = (5, 16, 24)
LABELS = {"core": 1, "rim": 2}
#: Targets that overlap: what a format holds of a voxel that lies in both is the hardest question it is asked.
REGIONS = {"whole": (1, 2), "core": (1,)}
#: A NIfTI affine has 24 bits, a decimal string of DICOM 16 characters.
PLACE_MM = 1e-3
HEAVY = ("torch", "numpy", "pydicom", "highdicom", "nibabel", "matplotlib", "PIL", "SimpleITK", "mlflow")


class Truth(NamedTuple):
    """What was to be written: the series, and its mask by hand."""

    series: WrittenSeries
    labels: np.ndarray

    def places(self) -> dict[str, np.ndarray]:
        """LPS mm of each voxel of each target, by the series' own position and orientation."""
        return {
            name: np.array([self.series.position(*index) for index in np.argwhere(np.isin(self.labels, values))])
            for name, values in REGIONS.items()
        }


# Each reader returns the places of each target's voxels, LPS mm, by target; of a picture, the area outlined, as bool.


def read_nifti(path: Path, truth: Truth) -> dict[str, np.ndarray]:
    image = nibabel.load(path)
    assert image.shape == SHAPE[::-1], "the whole grid, not the tumor's part alone"
    values, lps = np.asarray(image.dataobj), np.diag([-1, -1, 1])
    return {
        name: nibabel.affines.apply_affine(image.affine, np.argwhere(np.isin(values, labels))) @ lps
        for name, labels in REGIONS.items()
    }


def read_nrrd(path: Path, truth: Truth) -> dict[str, np.ndarray]:
    image = SimpleITK.ReadImage(path)
    assert image.GetSize() == SHAPE[::-1]
    segments = {}
    while f"Segment{len(segments)}_ID" in image.GetMetaDataKeys():
        told = {
            field: image.GetMetaData(f"Segment{len(segments)}_{field}")
            for field in ("Name", "LabelValue", "Layer", "Color", "Extent")
        }
        assert told["Layer"] == "0"
        assert all(0 <= float(part) <= 1 for part in told["Color"].split())
        segments[told["Name"]] = told
    values = SimpleITK.GetArrayFromImage(image)
    for told in segments.values():
        found = np.argwhere(values == int(told["LabelValue"]))[:, ::-1]
        by_hand = np.stack([found.min(0), found.max(0)], 1).ravel() if len(found) else (0, -1) * 3
        assert list(by_hand) == [int(part) for part in told["Extent"].split()]
    assert image.GetMetaData("Segmentation_ContainedRepresentationNames") == "Binary labelmap|"
    if set(segments) != set(LABELS):
        return {}
    return {
        name: np.array(
            [
                image.TransformIndexToPhysicalPoint([int(n) for n in index[::-1]])
                for index in np.argwhere(np.isin(values, labels))
            ]
        )
        for name, labels in REGIONS.items()
        if all(int(segments[label]["LabelValue"]) == LABELS[label] for label in LABELS)
    }


def read_dicom_seg(path: Path, truth: Truth) -> dict[str, np.ndarray]:
    data = pydicom.dcmread(path)
    assert data.SOPClassUID == pydicom.uid.SegmentationStorage
    assert data.ReferencedSeriesSequence[0].SeriesInstanceUID == truth.series.series_uid
    names = {item.SegmentNumber: item.SegmentLabel for item in data.SegmentSequence}
    shared = data.SharedFunctionalGroupsSequence[0]
    along_row, along_column = np.reshape(shared.PlaneOrientationSequence[0].ImageOrientationPatient, (2, 3))
    row_mm, column_mm = shared.PixelMeasuresSequence[0].PixelSpacing
    # What is the same for all frames, as where there is one segment, stands with what they share.
    of_frame = "SegmentIdentificationSequence"
    places: dict[str, list[np.ndarray]] = {name: [] for name in names.values()}
    # PS3.3 C.7.6.2.1.1, equation C.7.6.2.1-1.
    for frame, groups in zip(data.pixel_array, data.PerFrameFunctionalGroupsSequence, strict=True):
        corner = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, float)
        number = (groups if of_frame in groups else shared)[of_frame][0].ReferencedSegmentNumber
        for row, column in np.argwhere(frame):
            place = corner + row * row_mm * along_column.astype(float) + column * column_mm * along_row.astype(float)
            places[names[number]].append(place)
    return {name: np.array(found) for name, found in places.items()}


def read_rtstruct(path: Path, truth: Truth) -> dict[str, np.ndarray]:
    data = pydicom.dcmread(path)
    assert data.SOPClassUID == pydicom.uid.RTStructureSetStorage
    names = {item.ROINumber: item.ROIName for item in data.StructureSetROISequence}
    # Centers of all voxels, and each slice's plane by two in-plane axes of its own: no index of ours is used.
    centers = np.array([[truth.series.position(k, *rc) for rc in np.ndindex(SHAPE[1:])] for k in range(SHAPE[0])])
    axes = np.stack([centers[0, 1] - centers[0, 0], centers[0, SHAPE[2]] - centers[0, 0]])
    normal = np.cross(*axes) / np.linalg.norm(np.cross(*axes))
    inside = {name: np.zeros(centers.shape[:2], bool) for name in names.values()}
    for item in data.ROIContourSequence:
        for contour in item.ContourSequence:
            points = np.reshape(contour.ContourData, (-1, 3)).astype(float)
            place = int(np.abs((centers[:, 0] - points[0]) @ normal).argmin())
            assert np.abs((points - centers[place, 0]) @ normal).max() < PLACE_MM
            plane = Path2D((points - centers[place, 0]) @ axes.T)
            inside[names[item.ReferencedROINumber]][place] ^= plane.contains_points(
                (centers[place] - centers[place, 0]) @ axes.T
            )
    return {name: centers[found] for name, found in inside.items()}


def read_png(path: Path, truth: Truth) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        red, _, blue = np.moveaxis(np.asarray(image.convert("RGB"), dtype=int), -1, 0)
    # The lines alone are orange; all else is gray. The legend's encloses nothing.
    areas, n_areas = ndimage.label(ndimage.binary_fill_holes(red - blue > 60))
    tall = [n for n in range(1, n_areas + 1) if np.ptp(np.argwhere(areas == n)[:, 0]) > 10]
    return np.isin(areas, tall)


def read_dicom_sr(path: Path, truth: Truth) -> dict[str, float]:
    """Volume in ml by target, by highdicom."""
    content = highdicom.sr.srread(path).content
    groups = content.get_volumetric_roi_measurement_groups()
    of = {group.referenced_segment.source_series_for_segmentation.value for group in groups}
    assert of == {truth.series.series_uid}
    volumes = {}
    for group in groups:
        (volume,) = group.get_measurements(pydicom.sr.codedict.codes.SCT.Volume)
        assert volume.unit.value == "mL"
        volumes[group.tracking_identifier] = float(volume.value)
    return volumes


class ReadBack(NamedTuple):
    """What stands in a format's own standard, and how it is read without us."""

    media_type: str
    suffix: str
    read: Callable[[Path, Truth], Any]


READ_BACK = {
    # RFC 3240.
    "dicom-seg": ReadBack("application/dicom", ".dcm", read_dicom_seg),
    "dicom-sr": ReadBack("application/dicom", ".sr.dcm", read_dicom_sr),
    # RFC 6713; NIfTI itself has no registered type.
    "nifti": ReadBack("application/gzip", ".nii.gz", read_nifti),
    # No registered type; what Slicer calls its segmentations.
    "nrrd": ReadBack("application/x-nrrd", ".seg.nrrd", read_nrrd),
    # RFC 3240; two kinds of objects have one ending, so that ours says which.
    "rtstruct": ReadBack("application/dicom", ".rtstruct.dcm", read_rtstruct),
    # RFC 2083.
    "png": ReadBack("image/png", ".png", read_png),
}


def row_of(name: str) -> ReadBack:
    if name not in READ_BACK:
        pytest.fail(
            f"No library reads the output format {name!r} back. Add its row to READ_BACK in tests/contract/"
            "test_output_formats.py: its media type, its suffix, and a reader that is not ours."
        )
    return READ_BACK[name]


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    """Oblique slices of 16 x 24 pixels of 0.8 x 0.5 mm; two parts in slice 2, neither the same when mirrored; a dot in slice 4."""
    series = write_series(tmp_path_factory.mktemp("series"), shape=SHAPE)
    labels = np.zeros(SHAPE, np.uint8)
    labels[2, 3:12, 4:8] = LABELS["rim"]
    labels[2, 9:12, 4:15] = LABELS["rim"]
    labels[2, 4:8, 5:7] = LABELS["core"]
    labels[2, 2:6, 17:21] = LABELS["core"]
    labels[4, 13, 20] = LABELS["core"]
    return Truth(series, labels)


@pytest.fixture(scope="module")
def prediction(truth: Truth) -> Prediction:
    """The study as it is read, and a mask that no network made."""
    bundle = small_bundle()
    dataset = Dataset(name="knees", channels={"CT": "ct"}, labels=LABELS, regions=REGIONS)
    bundle = Bundle(bundle.plan.model_copy(update={"dataset": dataset}), bundle.weights, bundle.card)
    study = read_input(truth.series.folder, dataset)
    volume = align_channels(study.volumes, ("CT",), "CT", case_id=study.case_id)
    np.testing.assert_allclose(volume.geometry.affine, truth.series.affine_by_hand, atol=1e-6)
    mask = Mask(truth.labels, volume.geometry)
    segmentation = Segmentation(mask, None, 1.0, findings_of(mask, bundle.plan.targets), None)
    return Prediction(ServedModel("knees", "7", bundle), study, volume, segmentation)


@pytest.mark.parametrize("name", WRITERS)
def test_what_is_written_is_the_mask_where_the_study_has_it(name, prediction, truth, tmp_path):
    row, writer = row_of(name), WRITERS[name]
    path = tmp_path / writer.file_name
    prediction.write(path, name)
    found = row.read(path, truth)
    if writer.is_picture:
        require_outline(found, truth.labels[2] > 0)
    elif not writer.holds_voxels:
        voxel_ml = np.prod(SPACING_MM) / 1000
        by_hand = {target: len(places) * voxel_ml for target, places in truth.places().items()}
        assert found == pytest.approx(by_hand, abs=5e-5)
    else:
        assert set(found) == set(REGIONS)
        for target, places in truth.places().items():
            require_same_places(found[target], places)
    assert [other.name for other in tmp_path.iterdir()] == [writer.file_name]


def require_same_places(found: np.ndarray, expected: np.ndarray) -> None:
    assert len(found) == len(expected)
    distances, numbers = cKDTree(expected).query(found)
    assert distances.max() < PLACE_MM
    assert len(set(numbers)) == len(expected)


def require_outline(found: np.ndarray, expected: np.ndarray) -> None:
    """The outlined area has the slice's shape, in mm: its line alone, some pixels wide, may stand beyond."""
    found, expected = (cut_to_content(area) for area in (found, expected))
    (height, width), (n_rows, n_columns) = found.shape, expected.shape
    assert height / width == pytest.approx(n_rows * SPACING_MM[1] / (n_columns * SPACING_MM[2]), rel=0.03)
    rows, columns = (np.arange(n) * m // n for n, m in ((height, n_rows), (width, n_columns)))
    grown = expected[np.ix_(rows, columns)]
    assert (found & grown).sum() / (found | grown).sum() > 0.9


def cut_to_content(area: np.ndarray) -> np.ndarray:
    return area[ndimage.find_objects(area.astype(int))[0]]


@pytest.mark.parametrize("name", WRITERS)
def test_media_type_and_suffix_are_those_of_its_standard(name):
    row, writer = row_of(name), WRITERS[name]
    assert writer.name == name
    expected, found = (row.media_type, row.suffix), (writer.media_type, writer.suffix)
    assert found == expected, (
        f"Expected the media type and the suffix {' and '.join(expected)} of the format {name}, as its row of READ_BACK has them "
        f"of its standard, found {' and '.join(found)}."
    )
    assert writer.accepted[:1] in ((), (writer.media_type,)), (
        f"Expected {writer.media_type} first in `accepted` of {name}."
    )


def test_no_two_formats_are_mistaken_for_one_another():
    """Formats may share a media type, as all of DICOM's do; what `Accept` chooses by, and a result's files, are one format's."""
    accepted = [media_type for writer in WRITERS.values() for media_type in writer.accepted]
    assert len(accepted) == len(set(accepted))
    files = [writer.file_name for writer in WRITERS.values()]
    assert len(files) == len(set(files))


def test_every_module_of_the_package_is_one_format_and_no_row_is_left_over():
    modules = {module.name.replace("_", "-"): module.name for module in pkgutil.iter_modules(writers.__path__)}
    for name, module in modules.items():
        assert name in WRITERS, (
            f"Expected a WRITER called {name} in src/lesionflow/prediction/writers/{module}.py, found none: without one neither "
            "the command line nor the service knows the format."
        )
    assert list(WRITERS) == sorted(modules)
    left = sorted(set(READ_BACK) - set(WRITERS))
    assert not left, (
        f"Expected a format for each row of READ_BACK, found none for {left}: add it, or take its row away."
    )


@pytest.mark.parametrize("name", WRITERS)
def test_only_what_refers_to_dicom_needs_it(name, prediction, tmp_path):
    study = dataclasses.replace(prediction.study, reference_files=())
    other = dataclasses.replace(prediction, study=study)
    path = tmp_path / WRITERS[name].file_name
    if not WRITERS[name].needs_dicom:
        other.write(path, name)
        assert path.is_file()
        return
    with pytest.raises(LesionFlowError):
        WRITERS[name].write(path, other)
    with pytest.raises(InputError) as error:
        other.write(path, name)
    assert error.value.reason == "source_is_not_dicom"
    assert not path.exists()


@pytest.mark.parametrize("name", WRITERS)
def test_the_command_line_takes_it_and_says_what_it_holds(name):
    commands = argparse.ArgumentParser().add_subparsers()
    predict_command.add_commands(commands)
    assert commands.choices["predict"].parse_args(["study", "-o", "out", "--format", name]).format == name
    assert WRITERS[name].summary in " ".join(commands.choices["predict"].format_help().split())


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """The service on a model that calls every voxel tumor."""
    folder = tmp_path_factory.mktemp("model") / "bundle"
    write_bundle(folder, constant_bundle(9.0))
    with TestClient(create_app(ServiceSettings(model=str(folder)), Settings(device="cpu"))) as running:
        wait_until_ready(running)
        yield running


@pytest.fixture(scope="module")
def study_zip(truth: Truth) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for path in truth.series.paths:
            archive.write(path, path.name)
    return made.getvalue()


@pytest.mark.parametrize("name", WRITERS)
def test_the_service_offers_it_and_answers_with_it(name, client, study_zip, truth, tmp_path):
    row = row_of(name)
    assert choose_answer(name, None) == name
    assert [choose_answer(None, media_type) for media_type in WRITERS[name].accepted] == [name] * len(
        WRITERS[name].accepted
    )
    response = client.post(f"/v1/segment?format={name}", files={"study": ("study.zip", study_zip)})
    assert (response.status_code, response.headers["content-type"]) == (200, row.media_type)
    path = tmp_path / re.search('filename="(.+)"', response.headers["content-disposition"])[1]
    assert path.name.endswith(row.suffix)
    path.write_bytes(response.content)
    row.read(path, truth)


def test_a_json_answer_links_every_format(client, study_zip):
    report = client.post("/v1/segment", files={"study": ("study.zip", study_zip)}).json()
    assert list(report["links"]["masks"]) == list(WRITERS)
    assert list(ANSWERS) == ["json", *WRITERS]


def test_the_table_loads_no_heavy_library():
    code = f"import sys, json, lesionflow.prediction.writers; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
