import gzip
import json
import struct
import zlib
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydicom.dataset import Dataset

from lesionflow.machine.error_words import CUT_OFF, STRANGE, UNPACKED, kind_in_words, plain_words


class Shape(BaseModel):
    n_rows: int


def raised(call):
    try:
        call()
    except Exception as error:  # noqa: BLE001 - any that a library raises
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: Dataset().Rows, "no Rows"),
        (lambda: {}["PixelSpacing"], "no 'PixelSpacing'"),
        (lambda: iter(None), STRANGE),
        (lambda: next(iter(())), STRANGE),
        (lambda: struct.unpack("<i", b"1"), CUT_OFF),
        (lambda: gzip.decompress(b"no"), UNPACKED),
        (lambda: zlib.decompress(b"no"), "packed bytes that are harmed"),
        (b"\xff".decode, "bytes that are no text"),
        (lambda: json.loads("{"), "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (lambda: Path("/there/is/none").read_text(encoding="utf-8"), "No such file or directory"),
        (
            lambda: Shape.model_validate({"n_rows": "many"}),
            "n_rows: Input should be a valid integer, unable to parse string as an integer",
        ),
        (lambda: Shape.model_validate([]), "Input should be a valid dictionary or instance of Shape"),
        (lambda: float("0,8"), "could not convert string to float: '0,8'"),
    ],
)
def test_what_libraries_raise_is_said_without_pythons_names(call, expected):
    error = raised(call)
    assert plain_words(error) == expected
    assert type(error).__name__ not in plain_words(error)


def test_the_file_of_a_folder_of_ours_that_is_absent_is_named(tmp_path):
    error = raised((tmp_path / "sub" / "weights.safetensors").read_bytes)
    assert plain_words(error, within=tmp_path) == "sub/weights.safetensors: No such file or directory"
    assert plain_words(error, within=tmp_path / "other") == plain_words(error) == "No such file or directory"
    assert plain_words(raised(tmp_path.read_bytes), within=tmp_path) == "Is a directory"


def test_a_text_without_its_path_is_taken_and_cut():
    assert plain_words(ValueError("/secret/x is bad"), "it is\n  bad", length=5) == "it is"


def test_a_kind_of_error_is_said_where_its_words_may_tell_a_password():
    assert kind_in_words(ConnectionRefusedError("postgresql://me:secret@host")) == "a connection refused error"
    assert kind_in_words(OSError()) == "an os error"
