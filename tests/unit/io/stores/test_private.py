import json
import stat
from concurrent.futures import ThreadPoolExecutor

from lesionflow.io.stores.private import (
    KEY,
    SOURCES_FILE,
    TAKEN,
    known_sources,
    known_taken,
    pseudonym_key,
    remember_sources,
    remember_taken,
)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path):
    folder = tmp_path / "private"
    key = pseudonym_key(folder)
    assert len(key) == 64
    assert pseudonym_key(folder) == key
    assert mode(folder / KEY) == 0o600
    assert mode(folder) == 0o700
    assert [path.name for path in folder.iterdir()] == [KEY]


def test_keys_differ(tmp_path):
    assert pseudonym_key(tmp_path / "a") != pseudonym_key(tmp_path / "b")


def test_who_comes_at_once_gets_one_key(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: pseudonym_key(tmp_path / "p"), range(8)))) == 1


def test_sources_are_added_to_those_known(tmp_path):
    remember_sources(tmp_path / "p", {"c-1": "/a"})
    remember_sources(tmp_path / "p", {"c-2": "/b", "c-1": "/c"})
    assert json.loads((tmp_path / "p" / SOURCES_FILE).read_text()) == {"c-1": "/c", "c-2": "/b"}
    assert mode(tmp_path / "p" / SOURCES_FILE) == 0o600


def test_what_was_taken_is_known_to_its_owner_alone(tmp_path):
    folder = tmp_path / "p"
    remember_taken(folder, {"c-1": {"CT": ["axial"]}, "c-2": {"CT": ["coronal"]}})
    remember_taken(folder, {"c-2": {"CT": ["sagittal"]}})
    assert known_taken(folder) == {"c-1": {"CT": ["axial"]}, "c-2": {"CT": ["sagittal"]}}
    assert known_sources(folder) == {}
    assert (folder / TAKEN).stat().st_mode & 0o777 == 0o600
