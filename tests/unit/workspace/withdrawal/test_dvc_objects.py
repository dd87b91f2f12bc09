"""Objects and listings by hand; real ones of `dvc add` and `dvc push` are held in `test_run.py`."""

import hashlib
import json
import subprocess
import sys

import pytest

from lesionflow.errors import ConfigError
from lesionflow.workspace.withdrawal import dvc_objects
from lesionflow.workspace.withdrawal.dvc_objects import drop_objects


def put(store, content, ending=""):
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    path = store / digest[:2] / (digest[2:] + ending)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o444)
    return digest + ending


def test_bytes_under_a_patients_name_go_but_those_that_another_has_too(tmp_path, monkeypatch):
    store = tmp_path / "store"
    monkeypatch.setattr(dvc_objects, "_stores", lambda _: ([store], ("elsewhere",)))
    own, both, others = put(store, b"own"), put(store, b"the same empty mask"), put(store, b"others")
    speaks = put(store, b"a text of c-00000000000a")
    listing = [
        {"md5": own, "relpath": "images/Anna.nii.gz"}, {"md5": both, "relpath": "c-00000000000a.nii.gz"},
        {"md5": both, "relpath": "c-00000000000b.nii.gz"}, {"md5": others, "relpath": "c-00000000000b_0000.nii.gz"},
    ]  # fmt: skip
    folder = put(store, json.dumps(listing).encode(), ".dir")
    dropped = drop_objects(tmp_path, ("c-00000000000a",), ["images/Anna.nii.gz"])
    assert set(dropped.digests) == {own, speaks, folder}
    assert dropped.kept == ("elsewhere",)
    left = {path.parent.name + path.name for path in store.rglob("*") if path.is_file()}
    assert left == {both, others}
    assert drop_objects(tmp_path, ("c-00000000000a",), ["images/Anna.nii.gz"]).digests == ()


def test_without_dvc_there_is_nothing(tmp_path):
    assert drop_objects(tmp_path, ("a",), []) == ((), ())


def dvc(folder, *words):
    subprocess.run([sys.executable, "-m", "dvc", *words], cwd=folder, check=True, capture_output=True)


def test_every_place_that_dvc_keeps_objects_at_is_searched_however_long_its_path(tmp_path):
    """`dvc remote list` breaks lines at the terminal's width: a remote with a long path kept the patient."""
    team = tmp_path / ("a folder with a long name " * 4)
    work = team / "work"
    work.mkdir(parents=True)
    dvc(work, "init", "-q", "--no-scm")
    dvc(work, "remote", "add", "-q", "near", "../near")
    dvc(work, "remote", "add", "-q", "-d", "far", str(team / ("b" * 60) / "far"))
    dvc(work, "remote", "add", "-q", "cloud", "s3://bucket/studies")
    dvc(work, "config", "cache.dir", "../cache")
    roots = (work / ".dvc" / "cache", team / "near", team / ("b" * 60) / "far", team / "cache")
    for root in roots:
        put(root / "files" / "md5", b"c-00000000000a")
        # As DVC 2 laid them.
        put(root, b"c-00000000000a of old")
    dropped = drop_objects(work, ("c-00000000000a",), [])
    assert not [path for root in roots for path in root.rglob("*") if path.is_file()]
    assert len(dropped.digests) == 2
    (told,) = dropped.kept
    assert "cloud" in told


def test_a_dvc_that_can_not_say_where_objects_lie_stops_it(tmp_path):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[no\n")
    with pytest.raises(ConfigError, match="where objects lie"):
        drop_objects(tmp_path, ("a",), [])
