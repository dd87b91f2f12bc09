"""Which answer a client gets."""

import pytest

from lesionflow.serving.problems import RequestRefusedError
from lesionflow.serving.results.formats import choose_answer


@pytest.mark.parametrize(
    ("requested", "accept", "expected"),
    [
        (None, None, "json"),
        (None, "*/*", "json"),
        ("nifti", "image/png", "nifti"),
        (None, "application/dicom", "dicom-seg"),
        (None, "application/gzip", "nifti"),
        (None, "application/x-nifti", "nifti"),
        (None, "image/*", "png"),
        (None, "application/*", "json"),
        (None, "text/html, image/png;q=0.5, application/dicom;q=0.9", "dicom-seg"),
        (None, "application/dicom;q=0, IMAGE/PNG", "png"),
        (None, "application/dicom;q=x, application/json;q=0.1", "json"),
    ],
)
def test_format_wins_over_accept_and_accept_goes_by_quality(requested, accept, expected):
    assert choose_answer(requested, accept) == expected


@pytest.mark.parametrize(
    ("requested", "accept", "status", "code"),
    [
        ("docx", None, 400, "unknown_format"),
        ("", None, 400, "unknown_format"),
        (None, "text/html", 406, "not_acceptable"),
        (None, "application/json;q=0", 406, "not_acceptable"),
    ],
)
def test_what_cannot_be_given_is_refused(requested, accept, status, code):
    with pytest.raises(RequestRefusedError) as error:
        choose_answer(requested, accept)
    assert (error.value.http_status, error.value.code) == (status, code)
