"""A split comes back as it was written; what is no split is an artifact error that says what it locks."""

import pytest

from lesionflow.data.split import Fold, Split
from lesionflow.errors import ArtifactError
from lesionflow.io.stores.splits import read_split, write_split

SPLIT = Split(
    seed=3, fold=0, folds=(Fold(train=("c1",), validation=("c2",)),), test=("c3",), test_patients=("p3",), other_patients=("p1", "p2"),
)  # fmt: skip


def test_a_split_comes_back_and_is_text_with_an_end(tmp_path) -> None:
    write_split(tmp_path / "data" / "splits.json", SPLIT)
    assert read_split(tmp_path / "data" / "splits.json") == SPLIT
    assert (tmp_path / "data" / "splits.json").read_text().endswith("}\n")


BROKEN = {
    "cut off": SPLIT.model_dump_json()[:40],
    "no object": "[]",
    "a case in two places": SPLIT.model_dump_json().replace('"c2"', '"c1"'),
    "a key too many": SPLIT.model_dump_json().replace('"seed"', '"mood":1,"seed"'),
    "no such fold": SPLIT.model_dump_json().replace('"fold":0', '"fold":1'),
    "no text": "\udcff",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_what_is_no_split_is_named_and_never_made_anew(tmp_path, content) -> None:
    path = tmp_path / "splits.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ArtifactError, match="it locks the test set") as refused:
        read_split(path)
    assert refused.value.exit_code == 5


def test_a_split_that_is_gone_is_an_artifact_error(tmp_path) -> None:
    with pytest.raises(ArtifactError, match="Restore it"):
        read_split(tmp_path / "splits.json")
