"""Three versions of a model in a store of sqlite, none of them champion, and a ledger that is not there yet."""

from contextlib import contextmanager
from pathlib import Path

import pytest

from support.versions import store_of_versions

NAME = "lesionflow-knees"


@pytest.fixture
def uri(tmp_path):
    return store_of_versions(tmp_path / "store")


@pytest.fixture
def ledger(tmp_path):
    return tmp_path / "data" / "ledger.jsonl"


@pytest.fixture
def flipped():
    """One bit of a version's weights is another one as long as the block runs."""

    @contextmanager
    def flip(version):
        folder = Path(version.source.removeprefix("file://"))
        weights = next(folder.rglob("*.safetensors"))
        whole = weights.read_bytes()
        try:
            weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
            yield
        finally:
            weights.write_bytes(whole)

    return flip
