"""What one model does with received parts: which formats it makes, where they lie, from which source."""

import types
from pathlib import Path

import pytest

from lesionflow.prediction import study as study_module
from lesionflow.serving.generations.study_work import segment_parts
from lesionflow.serving.settings import ServiceSettings
from lesionflow.serving.uploads.multipart import Part


def parts(folder, name):
    """Two files as they are received: both of one study's DICOM, or one a channel."""
    folder.mkdir()
    made = []
    for number in range(2):
        path = folder / f"part-{number}"
        path.write_bytes(b"1234567")
        made.append(Part(name=name.format(number=number), path=path))
    return made


@pytest.mark.parametrize(
    ("part", "asked_for", "made"),
    [
        ("study", "json", ("dicom-seg", "nifti", "png")),
        ("C{number}", "json", ("nifti", "png")),
        ("study", "nifti", ("nifti",)),
        ("C{number}", "dicom-seg", ("dicom-seg",)),
    ],
)
def test_a_report_comes_with_each_format_that_the_study_can_have(tmp_path, monkeypatch, part, asked_for, made):
    asked = []

    def stand_in(model, segmenter, source, progress, *, output_formats):
        asked.append((source, tuple(output_formats)))
        report = types.SimpleNamespace(model_dump=lambda mode: {"targets": []})
        return types.SimpleNamespace(write=lambda path, name: path.write_text(name), report=lambda: report)

    monkeypatch.setattr(study_module, "segment_study", stand_in)
    plan = types.SimpleNamespace(dataset=types.SimpleNamespace(channels=("C0", "C1")))
    model = types.SimpleNamespace(bundle=types.SimpleNamespace(plan=plan))
    received, into = parts(tmp_path / "sent", part), tmp_path / "result"
    into.mkdir()
    report = segment_parts(model, None, received, into, asked_for, ServiceSettings(model="m"))
    ((source, formats),) = asked
    # More formats may be there than when this was written.
    assert [name for name in formats if name in ("dicom-seg", "nifti", "png")] == list(made)
    assert isinstance(source, Path) == (part == "study")
    assert report == {"formats": list(formats), "targets": []}
    assert sorted(path.read_text() for path in into.iterdir()) == sorted(formats)
