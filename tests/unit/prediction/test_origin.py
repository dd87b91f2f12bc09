"""What a mask's header says of its origin, read back."""

import pytest

from lesionflow.prediction.origin import Origin, read_origin
from lesionflow.prediction.study import predict_study


def test_both_headers_name_the_bundle(model, segmenter, study, tmp_path):
    digest = model.bundle.digest[:12]
    for name, expected in (("mask.nii.gz", Origin(digest)), ("mask.dcm", Origin(digest, model.name, model.version))):
        output_format = {"mask.nii.gz": "nifti", "mask.dcm": "dicom-seg"}[name]
        predict_study(model, segmenter, study, tmp_path / name, output_format=output_format)
        assert read_origin(tmp_path / name) == expected


@pytest.mark.parametrize("content", [b"", b"DICM", b"\0" * 128 + b"DICM", b"\x1f\x8b broken"])
def test_what_says_nothing_has_no_origin(tmp_path, content):
    (tmp_path / "mask").write_bytes(content)
    assert read_origin(tmp_path / "mask") is None


def test_an_image_of_another_maker_has_no_origin(study):
    assert all(read_origin(path) is None for path in sorted(study.rglob("*"))[:3] if path.is_file())
