"""The studies of a folder: their pseudonyms, and a key that changes with what changes the case and with nothing else."""

import shutil

import pytest

from lesionflow.cohort.pseudonym import pseudonym
from lesionflow.config import IngestConfig, Settings
from lesionflow.errors import ArtifactError, InputError
from lesionflow.io.stores import raw_manifest
from lesionflow.steps.ingest.studies import open_studies, secret_of
from support.dicom_factory import ROOT, write_rtstruct, write_series
from support.tumor_series import SHAPE, SQUARE, body

CONFIG = IngestConfig.model_validate(
    {
        "dataset_name": "knees", "layout": "auto", "patient_pattern": "auto", "reference_channel": "CT", "labels": {"tumor": 1}, "regions": {},
        "channels": {"CT": {"kind": "ct", "modality": "CT", "series_description": ""}}, "slice_spacing_tolerance_fraction": 0.01,
        "outlines": [{"pattern": "(?i)gtv.*", "label": "tumor"}], "max_rejected_fraction": 0.5,
    }
)  # fmt: skip


@pytest.fixture
def settings(tmp_path):
    return Settings(workers=1, private_dir=tmp_path / "private", pseudonym_key="secret")


@pytest.fixture
def raw(tmp_path):
    for number, name in enumerate(("ANN", "BEN"), 1):
        uids = {"patient_id": name, "study_uid": f"{ROOT}.{number}", "frame_uid": f"{ROOT}.{number}.9"}
        ct = write_series(tmp_path / "raw" / name / "CT", shape=SHAPE, stored=body(number), **uids)
        write_rtstruct(tmp_path / "raw" / name / "RS", ct, SQUARE)
    return tmp_path / "raw"


def tasks(raw, settings, *, config=CONFIG, version=1, only_recorded=False):
    with open_studies(raw, config, settings, reader_version=version, only_recorded=only_recorded) as (layout, found):
        assert layout == "dicom"
        return {task.case_id: task for task in found}


def test_studies_are_named_by_the_teams_key_and_sorted(raw, settings):
    found = tasks(raw, settings)
    assert list(found) == sorted(pseudonym("secret", "c", f"{ROOT}.{n}") for n in (1, 2))
    ann = found[pseudonym("secret", "c", f"{ROOT}.1")]
    assert ann.patient_id == pseudonym("secret", "p", "ANN")
    assert len(ann.hashes) == len(ann.source.files) == SHAPE[0] + 1


def test_the_key_changes_with_bytes_params_and_reader_and_with_no_name_of_a_file(raw, settings, tmp_path):
    first = {case_id: task.key for case_id, task in tasks(raw, settings).items()}
    shutil.move(raw / "ANN", raw / "annie")
    for path in sorted((raw / "annie" / "CT").iterdir()):
        path.rename(path.with_name(f"x{path.name}"))
    assert {case_id: task.key for case_id, task in tasks(raw, settings).items()} == first
    for other in (
        tasks(raw, settings, version=2),
        tasks(raw, settings, config=CONFIG.model_copy(update={"slice_spacing_tolerance_fraction": 0.02})),
    ):
        assert all(task.key != first[case_id] for case_id, task in other.items())
    path = next((raw / "BEN" / "CT").iterdir())
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    changed = {case_id for case_id, task in tasks(raw, settings).items() if task.key != first[case_id]}
    assert changed == {pseudonym("secret", "c", f"{ROOT}.2")}


def test_only_what_was_recorded_is_read_where_that_is_asked_for(raw, settings):
    raw_manifest.record(raw, workers=1)
    tasks(raw, settings, only_recorded=True)
    path = next((raw / "BEN" / "CT").iterdir())
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=pseudonym("secret", "c", f"{ROOT}.2")) as refused:
        tasks(raw, settings, only_recorded=True)
    assert pseudonym("secret", "c", f"{ROOT}.1") not in str(refused.value)
    assert "BEN" not in str(refused.value)


def test_a_folder_without_studies_is_refused(tmp_path, settings):
    (tmp_path / "raw").mkdir()
    with pytest.raises(InputError):
        tasks(tmp_path / "raw", settings)


def test_the_secret_is_what_settings_say_or_the_teams_own(settings, tmp_path):
    assert secret_of(settings) == "secret"
    own = Settings(workers=1, private_dir=tmp_path / "private")
    assert len(secret_of(own)) == 64
    assert secret_of(own) == secret_of(own)
