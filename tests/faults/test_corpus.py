"""Each reported fault through ingest, `predict` and the service: read right by values written by hand, or refused by name."""

import io
import json
import zipfile
from functools import cache
from importlib.resources import files
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
import yaml

from faults.corpus import FAULTS
from faults.corpus.fault import Fault, Right
from lesionflow.config import IngestConfig, Settings
from lesionflow.data.volume import IGNORED
from lesionflow.errors import DataQualityError, InputError
from lesionflow.inference import Segmenter
from lesionflow.io.inputs import read_input
from lesionflow.io.stores.bundles import write_bundle
from lesionflow.prediction.served_model import load_model
from lesionflow.prediction.study import predict_study
from lesionflow.serving.api import create_app
from lesionflow.serving.settings import ServiceSettings
from lesionflow.steps.ingest.step import run
from support.bundles import constant_bundle
from support.reported import FOLDER, reported
from support.service_client import TestClient, wait_until_ready

PRESETS = files("lesionflow.config.presets")
#: From RAS to LPS and back.
TO_LPS = np.array([-1.0, -1.0, 1.0])
TRIED = [*FAULTS, *reported()]
SENT = [fault for fault in TRIED if fault.sent]
INGESTED = [fault for fault in TRIED if fault.right]


def by_name(fault):
    return fault.name


def test_each_has_a_name_of_its_own_and_says_what_was_met():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert all(fault.met and fault.answer and (fault.right or fault.sent) for fault in FAULTS)


@pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the real data of ../shared/data")
def test_the_reported_conditions_are_among_them():
    assert len(reported()) >= 26


@cache
def preset(name: str) -> dict:
    return yaml.safe_load((PRESETS / f"{name}.yaml").read_text(encoding="utf-8"))["ingest"]


def ingest_config(fault: Fault) -> IngestConfig:
    return IngestConfig.model_validate(preset(fault.preset) | dict(fault.ingest) | {"max_rejected_fraction": 1.0})


@pytest.fixture(scope="module")
def given_of(tmp_path_factory):
    """Make each input once, for both tests that read it."""
    made = {}

    def make(fault: Fault) -> Path:
        if fault.name not in made:
            made[fault.name] = tmp_path_factory.mktemp("given") / "given"
            made[fault.name].mkdir()
            fault.make(made[fault.name])
        return made[fault.name]

    return make


@pytest.mark.parametrize("fault", INGESTED, ids=by_name)
def test_ingest_reads_it_right_or_names_what_is_wrong(fault, tmp_path, given_of):
    given, out = given_of(fault), tmp_path / "cases"
    refused = ingest(given, out, fault)
    if refused and fault.right.may_refuse:
        return
    if fault.right.refused:
        assert refused
        assert refused <= set(fault.right.refused)
    else:
        require_right(out, fault.right, refused)


def ingest(given: Path, out: Path, fault: Fault) -> set[str]:
    """Return the reasons of all refusals, where nothing is accepted; else none."""
    config = ingest_config(fault)
    try:
        run(config, {"raw": given}, {"cases": out}, Settings(workers=1))
    except DataQualityError:
        return {entry["reason"] for entry in json.loads((out / "rejected.json").read_text())}
    except InputError as error:
        return {error.reason}
    return set()


def require_right(out: Path, right: Right, refused: set[str]) -> None:
    assert not refused, (out / "rejected.json").read_text() if out.exists() else refused
    table = pd.read_parquet(out / "cases.parquet")
    rejected = json.loads((out / "rejected.json").read_text())
    told = {note["code"] for note in json.loads((out / "notes.json").read_text())}
    assert set(right.notes) <= told
    if right.n_cases is not None:
        assert len(table) == right.n_cases, rejected
    if right.n_patients is not None:
        assert table.patient_id.nunique() == right.n_patients
    if right.rejected is not None:
        assert tuple(sorted(entry["reason"] for entry in rejected)) == right.rejected, rejected
    if right.voxels is not None:
        assert voxels_by_label(out, right.ignored) == {name: n for name, n in right.voxels.items() if n}
    if right.maximum is not None:
        found = sorted(float(nibabel.load(path).get_fdata().max()) for path in out.glob("imagesTr/*_0000.nii.gz"))
        np.testing.assert_allclose(found, right.maximum, rtol=1e-3)
    if right.value_at is not None:
        (image,) = (nibabel.load(path) for path in out.glob("imagesTr/*_0000.nii.gz"))
        assert value_at(image, right.value_at[0]) == pytest.approx(right.value_at[1], rel=1e-3, abs=1e-3)
    if right.centroid_mm is not None:
        (mask,) = (nibabel.load(path) for path in out.glob("labelsTr/*.nii.gz"))
        places = nibabel.affines.apply_affine(mask.affine, np.argwhere(mask.get_fdata() > 0))
        np.testing.assert_allclose(places.mean(axis=0) * TO_LPS, right.centroid_mm, atol=1e-2)


def value_at(image, lps_mm) -> float:
    """Return the value of the voxel whose center lies at a position, by nibabel's own account of where it lies."""
    index = nibabel.affines.apply_affine(np.linalg.inv(image.affine), np.asarray(lps_mm) * TO_LPS)
    np.testing.assert_allclose(index, np.rint(index), atol=0.02)
    return float(image.get_fdata()[tuple(np.rint(index).astype(int))])


def voxels_by_label(out: Path, n_ignored: int) -> dict[str, int]:
    declared = json.loads((out / "dataset.json").read_text())["lesionflow"]["labels"]
    masks = [np.asarray(nibabel.load(path).dataobj).astype(int) for path in out.glob("labelsTr/*.nii.gz")]
    counts = {name: sum(int((mask == value).sum()) for mask in masks) for name, value in declared.items()}
    assert sum(counts.values()) + n_ignored == sum(int((mask > 0).sum()) for mask in masks)
    assert n_ignored == sum(int((mask == IGNORED).sum()) for mask in masks)
    return {name: n for name, n in counts.items() if n}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Start one client a set of channels: all tumor, so that the mask's grid is the study's."""
    running = {}

    def start(channels: dict[str, str]):
        key = tuple(channels.items())
        if key not in running:
            folder = tmp_path_factory.mktemp("model") / "bundle"
            write_bundle(folder, constant_bundle(9.0, channels=channels))
            client = TestClient(
                create_app(ServiceSettings(model=str(folder)), Settings(device="cpu")), raise_server_exceptions=False
            )
            client.__enter__()
            wait_until_ready(client)
            model = load_model(str(folder), None, "")
            running[key] = client, model, Segmenter(model.bundle, device="cpu")
        return running[key]

    yield start
    for client, *_ in running.values():
        client.__exit__(None, None, None)


@pytest.mark.parametrize("fault", SENT, ids=by_name)
def test_predict_and_the_service_read_it_right_or_name_what_is_wrong(fault, tmp_path, served, given_of):
    given = given_of(fault)
    config, sent = ingest_config(fault), fault.sent
    reference = config.reference_channel
    names = sorted(config.channels, key=lambda name: name != reference)
    client, model, segmenter = served({name: config.channels[name].kind for name in names})
    source = given / sent.files if isinstance(sent.files, str) else {c: given / f for c, f in sent.files.items()}
    response = post(client, source)
    mask = tmp_path / "mask.nii.gz"
    if sent.refused:
        with pytest.raises(InputError) as refusal:
            predict_study(model, segmenter, source, mask, output_format="nifti")
        assert refusal.value.reason in sent.refused
        assert (response.status_code, response.json()["code"]) == (422, refusal.value.reason)
        return
    report = predict_study(model, segmenter, source, mask, output_format="nifti")
    assert response.status_code == 200, response.text
    assert response.content == mask.read_bytes()
    assert sent.says in " ".join(report.warnings)
    for other in sent.formats:
        predict_study(model, segmenter, source, tmp_path / other, output_format=other)
        assert post(client, source, other).status_code == 200
    image = nibabel.load(mask)
    if sent.shape is not None:
        assert image.shape[::-1] == sent.shape
    if sent.maximum is not None or sent.value_at is not None:
        volume = read_input(source, model.bundle.plan.dataset).volumes[names[0]]
        if sent.maximum is not None:
            np.testing.assert_allclose(volume.array.max(), sent.maximum, rtol=1e-3)
        if sent.value_at is not None:
            index = tuple(np.rint(volume.geometry.to_index(sent.value_at[0])).astype(int))
            assert volume.array[0][index] == pytest.approx(sent.value_at[1], rel=1e-3, abs=1e-3)
            # The mask's own header must have a voxel at that place too.
            value_at(image, sent.value_at[0])


def post(client: TestClient, source: Path | dict[str, Path], output_format: str = "nifti"):
    """Send a folder as a zip named `study`, files by channel as parts of their names."""
    if isinstance(source, dict):
        parts = {channel: (path.name, path.read_bytes()) for channel, path in source.items()}
    elif source.suffix == ".zip":
        parts = {"study": ("study.zip", source.read_bytes())}
    else:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            for path in sorted(source.rglob("*")):
                archive.write(path, path.relative_to(source))
        parts = {"study": ("study.zip", made.getvalue())}
    return client.post(f"/v1/segment?format={output_format}", files=parts)
