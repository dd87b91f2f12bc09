"""A preprocessed case: the same arrays give the same bytes, a block is read alone, harm is seen."""

import zipfile

import numpy as np
import pytest

from lesionflow.errors import ArtifactError
from lesionflow.io.stores.preprocessed import (
    INDEX,
    IndexEntry,
    case_file,
    is_intact,
    open_case,
    read_index,
    write_case,
    write_index,
)

IMAGE = np.random.default_rng(3).normal(size=(2, 5, 7, 11)).astype(np.float32)
MASK = (np.random.default_rng(4).random((5, 7, 11)) > 0.7).astype(np.uint8) * 3
FOREGROUND = {3: np.argwhere(MASK == 3).astype(np.int32)[:9], 1: np.array([[4, 6, 10]], np.int32)}


def test_arrays_and_places_come_back_bit_for_bit(tmp_path) -> None:
    write_case(tmp_path / "a.lfc", IMAGE, MASK, FOREGROUND)
    stored = open_case(tmp_path / "a.lfc")
    np.testing.assert_array_equal(stored.image[:], IMAGE)
    np.testing.assert_array_equal(stored.mask[:], MASK)
    np.testing.assert_array_equal(stored.image[1, 2:4, 3:, 5], IMAGE[1, 2:4, 3:, 5])
    assert (stored.image.dtype, stored.mask.dtype) == (np.float32, np.uint8)
    assert list(stored.foreground) == [1, 3]
    for label, places in FOREGROUND.items():
        np.testing.assert_array_equal(stored.foreground[label], places)


def test_a_case_without_a_label_has_no_places(tmp_path) -> None:
    write_case(tmp_path / "a.lfc", IMAGE, np.zeros_like(MASK), {})
    assert open_case(tmp_path / "a.lfc").foreground == {}


def test_the_same_arrays_give_the_same_bytes_in_any_order_of_labels(tmp_path) -> None:
    one = write_case(tmp_path / "a.lfc", IMAGE, MASK, FOREGROUND)
    other = write_case(tmp_path / "b.lfc", IMAGE, MASK, dict(reversed(FOREGROUND.items())))
    assert one == other
    changed = MASK.copy()
    changed[0, 0, 0] ^= 1
    assert write_case(tmp_path / "c.lfc", IMAGE, changed, FOREGROUND) != one


def test_one_byte_that_differs_is_harm(tmp_path) -> None:
    path = case_file(tmp_path, "c-1")
    entry = IndexEntry(key="k", sha256=write_case(path, IMAGE, MASK, FOREGROUND))
    assert is_intact(tmp_path, "c-1", entry)
    assert not is_intact(tmp_path, "c-2", entry)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert not is_intact(tmp_path, "c-1", entry)


@pytest.mark.parametrize("harm", ["gone", "empty", "cut", "no zip", "a zip of something"])
def test_what_is_none_of_ours_is_an_artifact_error(tmp_path, harm) -> None:
    path = tmp_path / "a.lfc"
    write_case(path, IMAGE, MASK, FOREGROUND)
    if harm == "gone":
        path.unlink()
    elif harm == "a zip of something":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme", "words")
    else:
        path.write_bytes({"empty": b"", "cut": path.read_bytes()[:-40], "no zip": b"words" * 99}[harm])
    with pytest.raises(ArtifactError, match="Run preprocess again"):
        open_case(path)


def test_an_index_comes_back_and_a_broken_one_is_empty(tmp_path) -> None:
    index = {"c-2": IndexEntry(key="k", sha256="s"), "c-1": IndexEntry(key="k", sha256="", reason="constant_channel")}
    write_index(tmp_path, index)
    assert read_index(tmp_path) == index
    (tmp_path / INDEX).write_text('{"c-1": {"key": "k"}}')
    assert read_index(tmp_path) == {}
