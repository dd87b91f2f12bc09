"""The demonstration's own parts, against files made here; the whole of it runs in `make demo`."""

import io
import socket
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from lesionflow.cli import demo_command
from lesionflow.errors import ServiceError
from lesionflow.io.images.nifti import write_mask
from lesionflow.phantoms import make_study, write_phantoms
from lesionflow.phantoms.study import structure_mask


def test_a_study_is_zipped_whole_by_names_below_it(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "1.dcm").write_bytes(b"one")
    (tmp_path / "2.dcm").write_bytes(b"two")
    with zipfile.ZipFile(io.BytesIO(demo_command._zip(tmp_path))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {"2.dcm": b"two", "a/b/1.dcm": b"one"}


def test_a_returned_segmentation_is_scored_in_patient_space(tmp_path):
    """The phantom's own SEG is its truth: Dice 1; against a truth moved by a slice it is what NumPy counts."""
    write_phantoms(tmp_path, n_cases=1, first=1, seed=5, outlines="seg")
    (seg,) = tmp_path.rglob("SEG.dcm")
    kept = tmp_path / "answer.dcm"
    seg.rename(kept)
    (truth,) = (tmp_path / "truth").glob("*.nii.gz")
    with_organ = demo_command._score(kept, tmp_path / "dicom", truth)
    study = make_study(5, 1, "ct")
    tumor = study.truth.labels > 0
    moved = np.roll(tumor, 1, axis=0)
    write_mask(truth, type(study.truth)(moved.astype(np.uint8), study.truth.geometry))
    # Every segment of the answer counts: the tumor and the lung that stands beside it in a phantom's SEG.
    found = tumor | structure_mask(study, next(s for s in study.structures if s.name == "Lung_L"))
    dice = [2 * (found & t).sum() / (found.sum() + t.sum()) for t in (tumor, moved)]
    assert with_organ == pytest.approx(dice[0], abs=1e-3)
    assert demo_command._score(kept, tmp_path / "dicom", truth) == pytest.approx(dice[1], abs=1e-3)


def test_a_service_that_dies_is_told_at_once_with_its_log(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(1)"])
    process.wait()
    with pytest.raises(ServiceError, match=r"service\.log"):
        demo_command._await_ready(f"http://127.0.0.1:{demo_command._free_port()}", process, tmp_path / "service.log")


def test_a_free_port_can_be_bound():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", demo_command._free_port()))
