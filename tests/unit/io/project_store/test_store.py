import hashlib
import json
import os
import signal
import subprocess
import sys
import uuid

import pytest

from lesionflow.errors import ArtifactError, ConflictError
from lesionflow.io.project_store.store import ProjectStore


@pytest.fixture(params=["folder", "memory"])
def url(request, tmp_path):
    return str(tmp_path / "store") if request.param == "folder" else f"memory://{uuid.uuid4().hex}/store"


def _folder(path, **files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(content)
    return path


def _read(path):
    return {str(one.relative_to(path)): one.read_text() for one in sorted(path.rglob("*")) if one.is_file()}


def test_a_folder_comes_back_as_it_was(url, tmp_path, monkeypatch):
    source = _folder(tmp_path / "source", **{"a": "1", "sub/b": "2", "sub/twin": "2", "empty": ""})
    store = ProjectStore(url)
    assert store.latest("cases") is None
    made = store.save("cases", source, None)
    assert (made.number, store.latest("cases")) == (1, made)
    assert made.files["sub/b"] == (hashlib.sha256(b"2").hexdigest(), 1)
    target = _folder(tmp_path / "target", stale="what lay there")
    asked, again = [], ProjectStore(url)
    fetch = again._place.fetch
    monkeypatch.setattr(again._place, "fetch", lambda name, to: (asked.append(name), fetch(name, to)))
    again.restore(made, target)
    # Twins are asked for once: a store answers two questions at once for one object at its own risk.
    assert len(asked) == len(set(asked)) == 3
    assert _read(target) == {"a": "1", "empty": "", "sub/b": "2", "sub/twin": "2"}


def test_a_single_file_comes_back(url, tmp_path):
    store = ProjectStore(url)
    (tmp_path / "plan").write_text("{}")
    store.restore(store.save("plan", tmp_path / "plan", None), tmp_path / "there" / "plan")
    assert (tmp_path / "there" / "plan").read_text() == "{}"


def test_what_did_not_change_makes_no_edition_and_what_did_names_the_one_before(url, tmp_path):
    store, source = ProjectStore(url), _folder(tmp_path / "source", a="1")
    first = store.save("cases", source, None)
    assert store.save("cases", source, first) is first
    second = store.save("cases", _folder(source, b="2"), first)
    told = json.loads(store._place.read("editions/cases/00000002.json"))
    assert (second.number, told["number"], told["parent"]) == (2, 2, first.digest)


def test_of_two_that_go_on_from_one_edition_one_is_told(url, tmp_path):
    one, other, source = ProjectStore(url), ProjectStore(url), _folder(tmp_path / "source", a="1")
    before = one.save("cases", source, None)
    won = one.save("cases", _folder(source, a="2"), before)
    with pytest.raises(ConflictError, match="edition 2 of cases"):
        other.save("cases", _folder(source, a="3"), before)
    assert other.latest("cases") == won


def test_a_store_is_one_projects(url):
    store = ProjectStore(url)
    store.claim("dataset", "liver")
    store.claim("dataset", "liver")
    with pytest.raises(ArtifactError, match="another dataset: 'liver', not 'lung'"):
        ProjectStore(url).claim("dataset", "lung")
    store.claim("key", "aaaa")
    with pytest.raises(ArtifactError, match="another key") as told:
        store.claim("key", "bbbb")
    assert "aaaa" not in str(told.value)


def test_harm_is_told_and_a_listing_leads_nowhere_else(url, tmp_path):
    store = ProjectStore(url)
    edition = store.save("cases", _folder(tmp_path / "source", a="1"), None)
    name = f"objects/{edition.files['a'][0][:2]}/{edition.files['a'][0]}"
    (tmp_path / "harm").write_text("2")
    store._place.put(name, tmp_path / "harm")
    with pytest.raises(ArtifactError, match="other bytes"):
        store.restore(edition, tmp_path / "target")
    assert _read(tmp_path / "target") == {}
    store._place.remove(name)
    with pytest.raises(ArtifactError, match="found none"):
        store.restore(edition, tmp_path / "target")
    # Cut off since: what is kept anew is whole again.
    (tmp_path / "harm").write_text("")
    store._place.put(name, tmp_path / "harm")
    again = store.save("other", tmp_path / "source", None)
    store.restore(again, tmp_path / "whole")
    assert _read(tmp_path / "whole") == {"a": "1"}
    # What people and programs leave beside an edition is none.
    for stray in ("00000002.json.bak", "00000002.json~", "00000002 (conflicted copy).json", "00000002"):
        store._place.create(f"editions/cases/{stray}", b"{}")
    assert store.latest("cases").number == 1
    outside = {"format": 1, "name": "plan", "number": 1, "parent": "", "files": {"../x": ["0" * 64, 1]}}
    for content in (b"{", json.dumps(outside).encode(), b"[]"):
        store._place.create("editions/plan/00000001.json", content)
        with pytest.raises(ArtifactError, match="edition 1 of plan"):
            store.latest("plan")
        store._place.remove("editions/plan/00000001.json")


def test_pruning_leaves_the_newest_whole_and_nothing_of_who_left(url, tmp_path):
    store, source = ProjectStore(url), _folder(tmp_path / "source", patient="gone", other="stays")
    first = store.save("cases", source, None)
    (source / "patient").unlink()
    second = store.save("cases", source, first)
    assert store.prune() == 1
    assert store.latest("cases") == second
    store.restore(second, tmp_path / "target")
    assert _read(tmp_path / "target") == {"other": "stays"}
    assert store._place.read(f"objects/{first.files['patient'][0][:2]}/{first.files['patient'][0]}") is None
    assert store._place.names("editions/cases") == ["00000002.json"]


KILLED = """
import os, signal, sys
from pathlib import Path
from lesionflow.io.project_store import store as module
left = [int(sys.argv[3])]
def dying(function):
    def call(*args, **kwargs):
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        return function(*args, **kwargs)
    return call
module.TRANSFERS = 1
for name in ("link", "replace", "fsync"):
    setattr(os, name, dying(getattr(os, name)))
Path.replace = dying(Path.replace)
store = module.ProjectStore(sys.argv[1])
store.save("cases", Path(sys.argv[2]), store.latest("cases"))
"""


@pytest.mark.parametrize("after", range(7))
def test_a_kill_at_any_point_leaves_the_last_edition_whole(tmp_path, after):
    store, source = ProjectStore(str(tmp_path / "store")), _folder(tmp_path / "source", a="1")
    first = store.save("cases", source, None)
    _folder(source, a="2", b="3")
    command = [sys.executable, "-c", KILLED, str(tmp_path / "store"), str(source), str(after)]
    died = subprocess.run(command, check=False, env=os.environ).returncode
    assert died in (-signal.SIGKILL, 0)
    latest = store.latest("cases")
    store.restore(latest, tmp_path / "target")
    assert _read(tmp_path / "target") == ({"a": "1"} if latest == first else {"a": "2", "b": "3"})
    assert (died == 0) <= (latest.number == 2)
    done = store.save("cases", source, latest)
    assert done.number == 2
    store.restore(done, tmp_path / "target")
    assert _read(tmp_path / "target") == {"a": "2", "b": "3"}
