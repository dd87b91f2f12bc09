"""Files of phantoms: the same bytes again, real DICOM, HU and places as another reader sees them."""

import hashlib
import json
from pathlib import Path

import pydicom
import pytest

from lesionflow.errors import ConfigError
from lesionflow.phantoms import make_study, write_phantoms

SEED = 5


def digests(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def series_files(folder: Path, modality: str) -> list[Path]:
    files = [p for p in folder.rglob("*") if p.is_file()]
    return [p for p in files if pydicom.dcmread(p, stop_before_pixels=True).Modality == modality]


@pytest.fixture(scope="module")
def ct_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ct")
    write_phantoms(out, n_cases=4, seed=SEED, file_format="dicom", modality="ct", first=0)
    return out


@pytest.mark.parametrize("modality", ["petct", "mr4"])
def test_same_seed_gives_the_same_bytes(modality: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        n_processes = 1 if name == "one" else 2
        write_phantoms(
            tmp_path / name, n_cases=2, seed=SEED, file_format="dicom", modality=modality, workers=n_processes
        )
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_a_patient_does_not_depend_on_how_many_are_made(ct_set: Path, tmp_path: Path) -> None:
    write_phantoms(tmp_path, n_cases=1, seed=SEED, first=2)
    write_phantoms(tmp_path, n_cases=1, seed=SEED, first=3)
    alone, together = digests(tmp_path), digests(ct_set)
    assert len(alone) > 50
    assert {k: v for k, v in alone.items() if "truth.json" not in k}.items() <= together.items()
    truths = {row["patient_id"]: row for row in json.loads((ct_set / "truth/truth.json").read_text())}
    for row in json.loads((tmp_path / "truth/truth.json").read_text()):
        assert row == truths[row["patient_id"]]


def test_another_seed_gives_other_bytes_and_uids(ct_set: Path, tmp_path: Path) -> None:
    write_phantoms(tmp_path, n_cases=1, seed=SEED + 1)
    ours, theirs = series_files(ct_set / "dicom/PHANTOM-0000", "CT"), series_files(tmp_path / "dicom", "CT")
    assert pydicom.dcmread(ours[0]).StudyInstanceUID != pydicom.dcmread(theirs[0]).StudyInstanceUID
    assert pydicom.dcmread(ours[0]).FrameOfReferenceUID != pydicom.dcmread(theirs[0]).FrameOfReferenceUID


def test_writing_again_replaces_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    for _ in range(2):
        write_phantoms(tmp_path, n_cases=1, seed=SEED, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 1), (1, 1)]
    assert not list(tmp_path.rglob(".partial*"))
    assert len(series_files(tmp_path / "dicom", "CT")) == make_study(SEED, 0, "ct").truth.geometry.shape[0]


@pytest.mark.parametrize(("n_cases", "first"), [(0, 0), (1, -1)])
def test_nobody_to_make_is_refused(tmp_path: Path, n_cases: int, first: int) -> None:
    with pytest.raises(ConfigError, match="at least one patient"):
        write_phantoms(tmp_path, n_cases=n_cases, first=first, seed=SEED)


def test_what_a_killed_run_left_is_cleared_away(tmp_path: Path) -> None:
    left = tmp_path / ".partial-PHANTOM-0000/study/half.dcm"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    write_phantoms(tmp_path, n_cases=1, seed=SEED)
    assert not list(tmp_path.rglob("*half*"))
    assert {p.name for p in tmp_path.iterdir()} == {"dicom", "truth"}


@pytest.mark.parametrize("kind", ["rtstruct", "seg"])
def test_outlines_of_one_kind(tmp_path: Path, kind: str) -> None:
    truths = write_phantoms(tmp_path, n_cases=2, seed=SEED, outlines=kind)
    assert [t.outlines for t in truths] == [kind, kind]
    assert len(series_files(tmp_path / "dicom", {"rtstruct": "RTSTRUCT", "seg": "SEG"}[kind])) == 2
