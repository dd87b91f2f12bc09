"""People's labels are called `NCR/NET` and `GTV (T)`: each has one key that MLflow, file systems and uploads take."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name, _validate_param

from lesionflow.config.names import did_you_mean, key_of, name_faults

#: What mlflow 3.17 takes as the key of a picture (`MlflowClient.log_image`), and what the service takes as the name of a part.
PICTURE = re.compile(r"^[a-zA-Z0-9_\-./ ]+$")
PART = re.compile(r"[A-Za-z0-9_.-]{1,}")


@pytest.mark.parametrize("name", ["tumor", "necrotic_core", "GTV-1", "T1", "T1.ce", "_x", "x_"])
def test_a_name_that_is_safe_is_its_own_key(name: str) -> None:
    assert key_of(name) == name


@pytest.mark.parametrize(
    ("name", "key"),
    [("NCR/NET", "NCR_NET"), ("GTV (T)", "GTV_T"), ("T1+C", "T1_C"), ("Tumör", "Tumor"), ("tumeur primaire", "tumeur_primaire"),
     ("../up", "up"), ("a, b", "a_b"), ("50%", "50")],
)  # fmt: skip
def test_a_name_that_is_not_has_a_readable_key(name: str, key: str) -> None:
    assert key_of(name) == key


@given(st.text(min_size=1, max_size=64).filter(lambda name: not name_faults([name])))
def test_mlflow_files_and_uploads_take_every_key_of_a_name_that_may_be_used(name: str) -> None:
    key = key_of(name)
    _validate_metric_name(f"test/{key}/lesion_precision_medium")
    _validate_param(f"plan.channels.{key}.kind", "ct")
    assert PICTURE.match(f"confusion/{key}")
    assert PART.fullmatch(key)
    assert key not in {".", ".."}
    assert not key.startswith(".")
    assert len(f"dice_by_size_{key}.png".encode()) <= 255


def test_what_is_written_in_two_forms_of_unicode_has_one_key() -> None:
    assert key_of(unicodedata.normalize("NFD", "Tumör 肿瘤")) == key_of(unicodedata.normalize("NFC", "Tumör 肿瘤"))
    assert key_of("肿瘤") != key_of("瘤肿")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["NCR/NET", "NCR_NET"], "'NCR/NET' and 'NCR_NET' are one name"),
        (["Tumor", "tumor"], "are one name"),
        ([unicodedata.normalize("NFD", "é"), "é"], "are one name"),
        (["background"], "'background' is reserved: the number 0"),
        (["Ignore"], "'Ignore' is reserved"),
        ([" tumor"], "write 'tumor'"),
        (["GTV\n1"], "write 'GTV 1'"),
        (["a\\b"], "write 'a b'"),
        (["$_$ 1"], "write '_ 1'"),
        (["x" * 65], "has 65 characters, of which DICOM takes 64"),
        (["  "], "is no name"),
    ],
)
def test_a_name_that_can_not_be_used_is_refused_with_one_that_can(names: list[str], said: str) -> None:
    [fault] = name_faults(names)
    assert said in fault


def test_names_that_can_be_used_have_no_fault() -> None:
    assert name_faults(["NCR/NET", "GTV (T)", "edema", "肿瘤", "T1+C", "x" * 64]) == []


def test_the_nearest_name_is_offered_whatever_its_case() -> None:
    assert did_you_mean("ct", ["CT", "PET"]) == " Did you mean CT?"
    assert did_you_mean("zzz", ["CT", "PET"]) == ""
    assert did_you_mean(5, []) == ""
