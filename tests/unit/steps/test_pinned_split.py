import hashlib
import uuid

from lesionflow.data.split import Fold, Split
from lesionflow.io.project_store.store import ProjectStore
from lesionflow.io.stores.splits import write_split
from lesionflow.registry.shared_state import find_state_origin
from lesionflow.steps.pinned_split import pin_of, take_pinned
from lesionflow.steps.shared_state import push_shared


def _split(path, name=""):
    fold = Fold(train=("a",), validation=("b",))
    people = {"test_patients": ("p",), "other_patients": ("q", "r")}
    write_split(path, Split(seed=1, fold=0, folds=(fold,), test=("c",), **people, model_name=name))
    return path


def test_a_pin_is_the_splits_bytes_and_gives_them_back(tmp_path):
    path = _split(tmp_path / "splits")
    store = f"memory://{uuid.uuid4().hex}"
    ProjectStore(store).save("splits", path, None)
    pin = pin_of(path, f"sqlite:///{tmp_path / 'none.db'}")
    assert pin == hashlib.sha256(path.read_bytes()).hexdigest() + "@"
    take_pinned(store, pin, tmp_path / "elsewhere" / "splits")
    assert (tmp_path / "elsewhere" / "splits").read_bytes() == path.read_bytes()


def test_the_same_split_in_another_registry_has_another_pin(tmp_path):
    path, pins = _split(tmp_path / "splits", "m"), set()
    for store in ("one", "two"):
        uri = f"sqlite:///{tmp_path / store}.db"
        assert find_state_origin("m", uri) == ""
        push_shared(path, "m", uri)
        pins |= {pin_of(path, uri), pin_of(path, uri)}
    assert len(pins) == 2
    assert len({pin.partition("@")[0] for pin in pins}) == 1
