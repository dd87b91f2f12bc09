import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionflow.config import IngestConfig, Settings
from lesionflow.data.dataset import CASE_COLUMNS, CHANNEL_COLUMNS
from lesionflow.errors import ConfigError, DataQualityError, InputError
from lesionflow.io.files import sha256_folder
from lesionflow.io.stores.cases import image_path, mask_path, read_case, read_dataset, read_table
from lesionflow.steps.ingest import step as ingest
from support.dicom_factory import AXIAL, ROOT, write_rtstruct, write_series
from support.tumor_series import SHAPE, SQUARE, body

GRAY = {"gray": {"kind": "picture", "modality": "OT", "series_description": ""}}


def config(**changes):
    values = {
        "dataset_name": "knees",
        "layout": "auto",
        "patient_pattern": "auto",
        "channels": {
            "PET": {"kind": "pet", "modality": "PT", "series_description": ""},
            "CT": {"kind": "ct", "modality": "CT", "series_description": ""},
        },
        "reference_channel": "CT",
        "labels": {"tumor": 1},
        "regions": {},
        "outlines": [{"pattern": "(?i)gtv.*", "label": "tumor"}],
        "slice_spacing_tolerance_fraction": 0.01,
        "max_rejected_fraction": 0.5,
        **changes,
    }
    return IngestConfig.model_validate(values)


def write_patient(raw, name, number, **values):
    uids = {"patient_id": name, "study_uid": f"{ROOT}.{number}", "frame_uid": f"{ROOT}.{number}.9"}
    ct = write_series(raw / name / "CT", shape=SHAPE, stored=body(number), **uids, **values)
    # Coarser, turned another way, around the same voxels.
    pet_grid = {
        "shape": (6, 10, 10),
        "spacing_mm": (3.0, 2.0, 1.8),
        "orientation": AXIAL,
        "origin_mm": (-35.0, 5.0, 399.0),
    }
    write_series(raw / name / "PET", modality="PT", **pet_grid, **uids)
    write_rtstruct(raw / name / "RS", ct, SQUARE)
    return ct


@pytest.fixture
def raw(tmp_path):
    for number, name in enumerate(("ANN^A", "BEN^B", "CAT^C"), 1):
        write_patient(tmp_path / "raw", name, number)
    return tmp_path / "raw"


@pytest.fixture
def run(tmp_path):
    def call(raw, *, out="cases", workers=1, **changes):
        settings = Settings(workers=workers, private_dir=tmp_path / "private")
        return ingest.run(config(**changes), {"raw": raw}, {"cases": tmp_path / out}, settings)

    return call


def test_studies_become_cases(tmp_path, raw, run):
    counts = run(raw)
    assert counts == {"n_cases": 3.0, "n_read": 3.0, "n_kept": 0.0, "n_refused": 0.0}
    table = read_table(tmp_path / "cases")
    channel_columns = {f"{column}__{name}" for column in CHANNEL_COLUMNS for name in ("CT", "PET")}
    assert set(table) == set(CASE_COLUMNS) | channel_columns
    assert (table[["n_slices", "n_rows", "n_columns"]].to_numpy() == SHAPE).all()
    assert table["tumor_ml"].to_numpy() == pytest.approx(25 * 3.0 * 0.8 * 0.5 / 1000)
    assert (table["source_format"] == "dicom").all()
    assert json.loads((tmp_path / "cases" / "rejected.json").read_text()) == []


def test_the_reference_channel_comes_first_and_keeps_its_voxels(tmp_path, raw, run):
    run(raw)
    dataset = read_dataset(tmp_path / "cases")
    assert list(dataset.channels.items()) == [("CT", "ct"), ("PET", "pet")]
    for case_id in read_table(tmp_path / "cases")["case_id"]:
        case = read_case(tmp_path / "cases", case_id)
        assert case.volume.array.shape == (2, *SHAPE)
        assert any(np.array_equal(case.volume.array[0], body(n) * 2.0 - 1000) for n in (1, 2, 3))
        expected = np.zeros(SHAPE)
        expected[1, 2:7, 3:8] = 1
        np.testing.assert_array_equal(case.reference_mask.labels, expected)


def test_nothing_that_identifies_anybody_leaves(tmp_path, raw, run):
    run(raw)
    secrets = [b"ANN", b"BEN", b"CAT", b"Doe", ROOT.encode(), b"19700102", str(tmp_path).encode()]
    for path in (tmp_path / "cases").rglob("*"):
        assert not any(secret in str(path.relative_to(tmp_path)).encode() for secret in secrets)
        if path.is_file():
            content = path.read_bytes()
            assert not [secret for secret in secrets if secret in content], path


def test_the_team_finds_a_study_by_its_pseudonym(tmp_path, raw, run):
    run(raw)
    sources = json.loads((tmp_path / "private" / "sources.json").read_text())
    assert set(sources) == set(read_table(tmp_path / "cases")["case_id"])
    assert {Path(source).parent.name for source in sources.values()} <= {"ANN^A", "BEN^B", "CAT^C", "raw"}


def test_cases_of_one_patient_share_its_pseudonym(tmp_path, raw, run):
    write_patient(raw / "later", "ANN^A", 8)
    run(raw)
    table = read_table(tmp_path / "cases")
    assert table["case_id"].nunique() == 4
    assert sorted(table["patient_id"].value_counts()) == [1, 1, 2]


def test_a_hospital_is_one_site_however_a_scanner_spells_it(tmp_path, run):
    for number, name in enumerate(("HOSP A", "Hosp  A", "hosp a ", "N/A", "Hosp B"), 1):
        write_patient(
            tmp_path / "raw",
            f"P{number}",
            number,
            change=lambda data, _, name=name: setattr(data, "InstitutionName", name),
        )
    run(tmp_path / "raw")
    table = read_table(tmp_path / "cases")
    sites = table["site"].fillna("").value_counts()
    assert sorted(sites) == [1, 1, 3]
    assert sites[""] == 1, "who does not say where has no site"


def test_the_same_data_gives_the_same_bytes_by_any_number_of_workers(tmp_path, raw, run):
    run(raw, out="a", workers=1)
    run(raw, out="b", workers=2)
    moved = shutil.copytree(raw, tmp_path / "elsewhere" / "raw")
    run(moved, out="c")
    assert sha256_folder(tmp_path / "a") == sha256_folder(tmp_path / "b") == sha256_folder(tmp_path / "c")


class TestAgain:
    def test_what_was_read_is_kept(self, tmp_path, raw, run):
        run(raw)
        before = {p: p.stat().st_mtime_ns for p in (tmp_path / "cases" / "imagesTr").iterdir()}
        digest = sha256_folder(tmp_path / "cases")
        assert run(raw) == {"n_cases": 3.0, "n_read": 0.0, "n_kept": 3.0, "n_refused": 0.0}
        assert {p: p.stat().st_mtime_ns for p in (tmp_path / "cases" / "imagesTr").iterdir()} == before
        assert sha256_folder(tmp_path / "cases") == digest

    def test_whoever_allows_more_refused_studies_as_the_error_says_waits_for_no_study_again(self, raw, run):
        (raw / "BEN^B" / "RS").unlink()
        with pytest.raises(DataQualityError, match=r"raise ingest\.max_rejected_fraction"):
            run(raw, max_rejected_fraction=0.0)
        assert run(raw, max_rejected_fraction=0.5) == {"n_cases": 2.0, "n_read": 0.0, "n_kept": 3.0, "n_refused": 1.0}

    def test_a_new_study_alone_is_read(self, tmp_path, raw, run):
        run(raw)
        write_patient(raw, "DAN^D", 4)
        assert run(raw)["n_read"] == 1.0
        fresh = run(raw, out="fresh")
        assert fresh["n_read"] == 4.0
        assert sha256_folder(tmp_path / "cases") == sha256_folder(tmp_path / "fresh")

    def test_a_study_that_is_gone_leaves_nothing(self, tmp_path, raw, run):
        run(raw)
        shutil.rmtree(raw / "BEN^B")
        assert run(raw)["n_cases"] == 2.0
        assert len(list((tmp_path / "cases" / "imagesTr").iterdir())) == 4
        assert len(list((tmp_path / "cases" / "labelsTr").iterdir())) == 2
        assert len(read_table(tmp_path / "cases")) == 2

    def test_one_changed_byte_of_a_source_is_noticed(self, raw, run):
        run(raw)
        path = raw / "BEN^B" / "CT" / "03.dcm"
        stat = path.stat()
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert run(raw)["n_read"] == 1.0

    def test_other_params_read_all_again(self, raw, run):
        run(raw)
        assert run(raw, slice_spacing_tolerance_fraction=0.02)["n_read"] == 3.0

    def test_another_reader_reads_all_again(self, raw, run, monkeypatch):
        run(raw)
        monkeypatch.setattr(ingest, "READER_VERSION", -1)
        assert run(raw)["n_read"] == 3.0

    @pytest.mark.parametrize("which", ["image", "mask"])
    def test_a_case_that_was_harmed_is_read_again(self, tmp_path, raw, run, which):
        run(raw)
        folder = tmp_path / "cases"
        case_id = read_table(folder)["case_id"][1]
        path = image_path(folder, case_id, 1) if which == "image" else mask_path(folder, case_id)
        whole = path.read_bytes()
        path.write_bytes(whole[:-7])
        assert run(raw)["n_read"] == 1.0
        assert path.read_bytes() == whole

    @pytest.mark.parametrize("content", ["{", "[]", '{"c-1": {}}', '{"c-1": {"key": 1}}'])
    def test_a_broken_index_reads_all_again(self, tmp_path, raw, run, content):
        run(raw)
        (tmp_path / "cases" / "index.json").write_text(content)
        assert run(raw)["n_read"] == 3.0

    def test_a_kill_leaves_nothing_half_and_the_next_run_finishes(self, tmp_path, raw, run):
        for number in range(4, 12):
            write_patient(raw, f"P^{number}", number)
        run(raw, out="undisturbed")
        code = (
            "import sys; from pathlib import Path; from lesionflow.config import IngestConfig, Settings\n"
            "from lesionflow.steps.ingest import step as ingest\n"
            "config = IngestConfig.model_validate_json(sys.argv[1]); base = Path(sys.argv[2])\n"
            "settings = Settings(workers=1, private_dir=base / 'private')\n"
            "ingest.run(config, {'raw': base / 'raw'}, {'cases': base / 'cases'}, settings)\n"
        )
        command = [sys.executable, "-c", code, config().model_dump_json(), str(tmp_path)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 60
            while not (tmp_path / "cases" / "index.json").exists() and process.poll() is None:
                assert time.monotonic() < deadline
                time.sleep(0.002)
            os.kill(process.pid, signal.SIGKILL)
        (tmp_path / "cases" / ".partial-1-cases.parquet").write_text("half")
        counts = run(raw)
        assert counts["n_cases"] == 11.0
        assert counts["n_kept"] >= 1.0
        assert not list((tmp_path / "cases").rglob(".partial-*"))
        assert sha256_folder(tmp_path / "cases") == sha256_folder(tmp_path / "undisturbed")

    @pytest.mark.parametrize("moment", range(10))
    def test_killed_at_any_of_ten_moments_it_ends_as_if_undisturbed(self, tmp_path, raw, run, moment):
        run(raw, out="undisturbed")
        # The list of sources, three cases of two images, a mask and a picture, the index after each, then four files of
        # all cases: 20 moves. Each moment is right before (even) or right after (odd) one of them.
        last, after = 1 + 2 * moment, moment % 2
        child = os.fork()
        if child == 0:
            move, count = Path.replace, iter(range(1, 1000))

            def deadly_move(path, target):
                is_last = next(count) == last
                if is_last and not after:
                    os.kill(os.getpid(), signal.SIGKILL)
                moved = move(path, target)
                if is_last:
                    os.kill(os.getpid(), signal.SIGKILL)
                return moved

            Path.replace = deadly_move
            run(raw)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "the run ended before the kill"
        assert run(raw)["n_cases"] == 3.0
        assert sha256_folder(tmp_path / "cases") == sha256_folder(tmp_path / "undisturbed")
        assert not list((tmp_path / "cases").rglob(".*"))


def test_a_study_exported_again_keeps_its_name(tmp_path, raw, run):
    run(raw)

    def exported_again(data, _):
        data.add_new(0x00091010, "LO", "EXPORTED BY ANOTHER STATION")
        data.InstanceCreationDate = "20300101"

    shutil.rmtree(raw / "BEN^B")
    write_patient(raw / "new export", "BEN^B", 2, change=exported_again)
    before = set(read_table(tmp_path / "cases")["case_id"])
    assert run(raw)["n_read"] == 1.0
    assert set(read_table(tmp_path / "cases")["case_id"]) == before


class TestRefused:
    def test_one_bad_study_is_named_and_the_others_go_on(self, tmp_path, raw, run, caplog):
        caplog.set_level("INFO")
        (raw / "BEN^B" / "CT" / "17.dcm").unlink()
        write_patient(raw, "DAN^D", 4, change=lambda data, k: setattr(data, "PixelSpacing", [0.8, 0.5 + 0.1 * (k > 2)]))
        assert run(raw) == {"n_cases": 2.0, "n_read": 4.0, "n_kept": 0.0, "n_refused": 2.0}
        assert "2 cases with the channels CT, PET; tumor in 2; 2 refused: " in caplog.text
        refused = json.loads((tmp_path / "cases" / "rejected.json").read_text())
        assert [set(entry) for entry in refused] == [{"case_id", "reason", "message"}] * 2
        assert {entry["reason"] for entry in refused} == {"missing_slice", "mixed_pixel_spacing"}
        sources = json.loads((tmp_path / "private" / "sources.json").read_text())
        for entry in refused:
            assert entry["case_id"] in entry["message"]
            assert ("BEN" in sources[entry["case_id"]]) or ("DAN" in sources[entry["case_id"]])
        assert not set(read_table(tmp_path / "cases")["case_id"]) & {entry["case_id"] for entry in refused}

    def test_a_refused_study_is_refused_again_without_reading_it(self, raw, run):
        (raw / "BEN^B" / "RS").unlink()
        run(raw)
        assert run(raw) == {"n_cases": 2.0, "n_read": 0.0, "n_kept": 3.0, "n_refused": 1.0}

    def test_a_case_that_is_refused_now_leaves_no_files(self, tmp_path, raw, run):
        run(raw)
        (raw / "BEN^B" / "RS").unlink()
        run(raw)
        assert len(list((tmp_path / "cases" / "imagesTr").iterdir())) == 4

    def test_too_many_fail_the_step_with_the_report(self, tmp_path, raw, run):
        (raw / "BEN^B" / "RS").unlink()
        with pytest.raises(DataQualityError, match="no_outline") as caught:
            run(raw, max_rejected_fraction=0.3)
        assert json.loads(Path(caught.value.report).read_text())[0]["reason"] == "no_outline"
        assert "BEN" not in str(caught.value)
        assert run(raw, max_rejected_fraction=0.34)["n_refused"] == 1.0

    def test_all_are_too_many_whatever_is_allowed(self, raw, run):
        for rs in raw.glob("*/RS"):
            rs.unlink()
        with pytest.raises(DataQualityError):
            run(raw, max_rejected_fraction=1.0)

    def test_outlines_of_another_patient(self, tmp_path, raw, run):
        shutil.copy(raw / "ANN^A" / "RS", raw / "BEN^B" / "RS")
        assert run(raw)["n_refused"] == 1.0
        (entry,) = json.loads((tmp_path / "cases" / "rejected.json").read_text())
        assert entry["reason"] == "outline_of_another_study"

    def test_a_channel_that_covers_too_little(self, tmp_path, raw, run):
        uids = {"patient_id": "DAN^D", "study_uid": f"{ROOT}.4", "frame_uid": f"{ROOT}.4.9"}
        write_patient(raw, "DAN^D", 4)
        shutil.rmtree(raw / "DAN^D" / "PET")
        write_series(raw / "DAN^D" / "PET", modality="PT", origin_mm=(500.0, 0.0, 0.0), **uids)
        assert run(raw)["n_refused"] == 1.0
        (entry,) = json.loads((tmp_path / "cases" / "rejected.json").read_text())
        assert entry["reason"] == "channels_do_not_overlap"

    def test_folders_without_studies(self, tmp_path, run):
        (tmp_path / "empty").mkdir()
        with pytest.raises(InputError) as caught:
            run(tmp_path / "empty")
        assert caught.value.reason == "empty_folder"
        (tmp_path / "nnunet" / "imagesTr").mkdir(parents=True)
        (tmp_path / "nnunet" / "dataset.json").write_text("{}")
        with pytest.raises(InputError) as caught:
            run(tmp_path / "nnunet")
        assert caught.value.reason == "empty_folder"


def test_no_tumor_is_a_case(tmp_path, run):
    write_patient(tmp_path / "raw", "ANN^A", 1)
    ct = write_patient(tmp_path / "raw", "BEN^B", 2)
    write_rtstruct(tmp_path / "raw" / "BEN^B" / "RS", ct, {"BODY": SQUARE["GTV_Mass"], "GTV_Mass 0": []})
    run(tmp_path / "raw")
    table = read_table(tmp_path / "cases")
    assert sorted(table["tumor_ml"] > 0) == [False, True]
    assert table["has_mask"].all()


def test_what_ingest_wrote_can_be_ingested(tmp_path, raw, run):
    run(raw)
    counts = run(tmp_path / "cases", out="again")
    assert counts["n_cases"] == 3.0
    first, again = read_table(tmp_path / "cases"), read_table(tmp_path / "again")
    assert sorted(again["tumor_ml"]) == pytest.approx(sorted(first["tumor_ml"]), rel=1e-6)
    assert sorted(again["mean__PET"]) == pytest.approx(sorted(first["mean__PET"]), rel=1e-6)
    assert (again["source_format"] == "nnunet").all()


@pytest.mark.parametrize(
    "changes",
    [
        {"outlines": [{"pattern": "(", "label": "tumor"}]},
        {"layout": "tarball"},
        {"patient_pattern": "("},
    ],
)
def test_params_that_contradict_themselves_are_refused(raw, run, changes):
    with pytest.raises(ConfigError):
        run(raw, **changes)


def test_zipped_studies_are_the_same_cases(tmp_path, raw, run):
    run(raw, out="folders")
    zipped = tmp_path / "zipped"
    zipped.mkdir()
    for patient in raw.iterdir():
        shutil.make_archive(str(zipped / patient.name), "zip", raw, patient.name)
    (zipped / "evil.zip").write_bytes(b"PK\x03\x04 nothing")
    assert run(zipped) == {"n_cases": 3.0, "n_read": 4.0, "n_kept": 0.0, "n_refused": 1.0}
    first, second = (read_table(tmp_path / name) for name in ("folders", "cases"))
    assert first.equals(second)
    (entry,) = json.loads((tmp_path / "cases" / "rejected.json").read_text())
    assert entry["reason"] == "unreadable_zip"
    assert "evil" not in entry["message"]
    sources = json.loads((tmp_path / "private" / "sources.json").read_text())
    assert sources[entry["case_id"]] == str(zipped / "evil.zip")
    assert run(zipped)["n_read"] == 0.0


def test_a_collection_of_zips_of_zips_is_the_collection(tmp_path, run):
    """3D-IRCADb: a zip a patient, with a zip of images and one of masks in it."""
    folder = tmp_path / "plain" / "3Dircadb1.7"
    write_series(folder / "PATIENT_DICOM", shape=SHAPE, stored=body(1))
    write_series(folder / "MASKS_DICOM" / "livertumor01", shape=SHAPE, stored=(body(1) > 530).astype(np.int16))
    zipped, inner = tmp_path / "zipped", tmp_path / "inner" / "3Dircadb1.7"
    for name in ("PATIENT_DICOM", "MASKS_DICOM"):
        shutil.make_archive(str(inner / name), "zip", folder, name)
    shutil.make_archive(str(zipped / "3Dircadb1.7"), "zip", inner.parent, "3Dircadb1.7")
    ct = {"CT": {"kind": "ct", "modality": "CT", "series_description": ""}}
    rules = {"channels": ct, "outlines": [{"pattern": "livertumor.*", "label": "tumor"}]}
    assert run(folder.parent, out="plain cases", **rules)["n_cases"] == 1.0
    assert run(zipped, **rules)["n_cases"] == 1.0
    tables = [read_table(tmp_path / name) for name in ("plain cases", "cases")]
    assert tables[0].equals(tables[1])
    assert list(tables[0]["source_format"]) == ["mask_series"]


def test_zips_alone_that_are_all_bad_are_refused_by_name(tmp_path, run):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.zip").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(DataQualityError, match="unreadable_zip"):
        run(tmp_path / "raw")


class TestPictures:
    @pytest.fixture
    def pictures(self, tmp_path):
        for name in ("10035_1", "10035_2", "mirrored_10035_2", "10036_1"):
            for folder in ("images", "masks"):
                path = tmp_path / "pictures" / folder / f"{name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                value = np.random.default_rng(len(name)).integers(1, 200, (9, 12))
                Image.fromarray((value if folder == "images" else (value > 99) * 255).astype(np.uint8)).save(path)
        return tmp_path / "pictures"

    def run(self, run, pictures, **changes):
        return run(pictures, channels=GRAY, reference_channel="gray", **changes)

    def test_slices_of_one_patient_share_it_mirrored_ones_too(self, tmp_path, pictures, run, caplog):
        caplog.set_level("INFO")
        assert self.run(run, pictures)["n_cases"] == 4.0
        table = read_table(tmp_path / "cases")
        assert sorted(table["patient_id"].value_counts()) == [1, 3]
        assert "layout `pictures`: 4 studies of 2 patients in 8 files" in caplog.text
        assert not read_case(tmp_path / "cases", table["case_id"][0]).volume.geometry.spacing_known

    def test_the_team_may_say_how_names_tell_patients(self, tmp_path, pictures, run):
        self.run(run, pictures, patient_pattern=r"^(mirrored|\d+_\d)")
        assert read_table(tmp_path / "cases")["patient_id"].nunique() == 4

    def test_files_that_change_names_are_read_again(self, pictures, run):
        """Content alone does not say which is the image."""
        self.run(run, pictures)
        image, mask = (pictures / folder / "10036_1.png" for folder in ("images", "masks"))
        first, second = image.read_bytes(), mask.read_bytes()
        image.write_bytes(second)
        mask.write_bytes(first)
        assert self.run(run, pictures)["n_read"] == 1.0

    def test_a_forced_layout_that_is_not_there_is_refused(self, pictures, run):
        with pytest.raises(InputError) as caught:
            self.run(run, pictures, layout="brats")
        assert caught.value.reason == "another_layout"


def test_series_descriptions_travel_with_the_dataset(tmp_path, raw, run):
    rule = {"kind": "ct", "modality": "CT", "series_description": ".*"}
    run(raw, channels={"CT": rule})
    assert read_dataset(tmp_path / "cases").series_descriptions == {"CT": ".*"}
