"""Whose a mask is: told by hashes worked out by hand, of which none gives its value away."""

import hashlib
import json

import pytest

from lesionflow.prediction.study_identity import StudyIdentity

REFERENCES = {
    "patient": ("P-1",),
    "study": ("1.2",),
    "frame of reference": ("1.3",),
    "series": ("1.4",),
    "images": ("1.5", "1.6"),
}


def test_each_hash_is_over_its_name_its_value_and_the_images():
    found = StudyIdentity.of(REFERENCES)
    expected = hashlib.sha256(json.dumps(["patient", ["P-1"], ["1.5", "1.6"]]).encode()).hexdigest()
    assert found.patient == expected
    assert found.images == hashlib.sha256(json.dumps(["images", [], ["1.5", "1.6"]]).encode()).hexdigest()
    # Of two studies of one patient nothing is alike: hashes can't be matched.
    other = StudyIdentity.of(REFERENCES | {"images": ("1.7",)})
    assert not set(found.model_dump().values()) & set(other.model_dump().values())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, ()),
        ({"patient": ()}, ("patient",)),
        ({"patient": ("P-2",), "study": ("1.2", "1.9")}, ("patient", "study")),
        ({"frame of reference": ("9",)}, ("frame of reference",)),
        ({"images": ("1.5",), "patient": ("P-2",)}, ("the images that it refers to",)),
    ],
)
def test_what_was_changed_is_named(change, said):
    assert StudyIdentity.of(REFERENCES).differences(StudyIdentity.of(REFERENCES | change)) == said
