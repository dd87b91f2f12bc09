"""`dataset.json` in all its forms: what each declares, by hand."""

import json

import pytest

from lesionflow.errors import InputError
from lesionflow.io.declarations import read_declaration

CHANNELS = {"channel_names": {"0": "CT"}}


def read(folder, content):
    (folder / "dataset.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return read_declaration(folder / "dataset.json", name="c-1")


@pytest.mark.parametrize(
    ("labels", "structures"),
    [
        ({"background": 0, "tumor": 1}, {"background": (0,), "tumor": (1,)}),
        ({"0": "background", "1": "tumor"}, {"background": (0,), "tumor": (1,)}),
        ({"0": "background", "1": "tumor", "2": "tumor"}, {"background": (0,), "tumor": (1, 2)}),
        ({"background": "0", "tumor": 1.0}, {"background": (0,), "tumor": (1,)}),
        ({"0": 0, "1": 2, "2": 1}, {"0": (0,), "1": (2,), "2": (1,)}),
        ({"whole": [1, 2], "core": [2], "ignore": 3}, {"whole": (1, 2), "core": (2,), "ignore": (3,)}),
        ({"3": "edema", "7": "core"}, {"edema": (3,), "core": (7,)}),
    ],
    ids=["version 2", "version 1", "two alike", "text", "numbers as names", "regions", "gaps"],
)
def test_structures_by_name(tmp_path, labels, structures) -> None:
    assert read(tmp_path, {**CHANNELS, "labels": labels}) == ({"CT": 0}, structures)


def test_channels_of_the_decathlon_and_version_1(tmp_path) -> None:
    content = {"modality": {"0": "FLAIR", "1": "T1w"}, "labels": {"0": "background"}}
    assert read(tmp_path, content)[0] == {"FLAIR": 0, "T1w": 1}


def test_what_ingest_wrote_says_what_its_numbers_are(tmp_path) -> None:
    content = {**CHANNELS, "labels": {"WT": [1, 2], "ignore": 255}, "lesionflow": {"labels": {"edema": 1, "core": 2}}}
    assert read(tmp_path, content)[1] == {"edema": (1,), "core": (2,), "ignore": (255,)}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (CHANNELS, "broken_dataset_json"),
        ({"labels": {"tumor": 1}}, "broken_dataset_json"),
        ({**CHANNELS, "labels": {"tumor": 1.5}}, "broken_dataset_json"),
        ({**CHANNELS, "labels": {"tumor": True}}, "broken_dataset_json"),
        ({**CHANNELS, "labels": {"tumor": None}}, "broken_dataset_json"),
        ('{"channel_names": {"0": "CT"}, "labels": {"tumor": 1, "tumor": 2}}', "broken_dataset_json"),
        ({"channel_names": {"0": "CT", "1": "CT"}, "labels": {"tumor": 1}}, "ambiguous_channel"),
    ],
    ids=[
        "no labels",
        "no channels",
        "a fraction",
        "a truth value",
        "nothing",
        "a name twice",
        "two channels of one name",
    ],
)
def test_what_declares_nothing_for_certain_is_refused(tmp_path, content, reason) -> None:
    with pytest.raises(InputError, match="c-1") as refused:
        read(tmp_path, content)
    assert refused.value.reason == reason
