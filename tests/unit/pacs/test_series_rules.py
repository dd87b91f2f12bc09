"""Which series of a study is taken."""

from pathlib import Path

import pytest

from lesionflow.io.dicom.arriving.instance_header import InstanceHeader
from lesionflow.pacs.network_config import StudyRule, WantedSeries
from lesionflow.pacs.series_rules import choose_objects


def headers(**series):
    """Series as (modality, description, plane, objects, frames each)."""
    found = {}
    for uid, (modality, description, plane, n, frames) in series.items():
        for i in range(n):
            found[Path(f"{uid}-{i}")] = InstanceHeader(
                "1.2", f"{uid}.{i:03d}", "1", uid, modality, description, plane, frames
            )
    return found


STUDY = headers(
    thin=("CT", "Thorax 1.0 B30f", "axial", 9, 1), scout=("CT", "Topogram", "coronal", 1, 1), thick=("CT", "Thorax 5.0", "axial", 4, 1),
    pet=("PT", "WB AC", "axial", 1, 60), mr=("MR", "t2 <b>tse</b> sag", "sagittal", 5, 1),
)  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "series"),
    [
        ({"modality": "CT"}, {"thin"}),
        ({"modality": "CT", "description": "thorax 5"}, {"thick"}),
        ({"modality": "CT", "plane": "coronal"}, {"scout"}),
        ({"modality": "CT", "min_slices": 10}, set()),
        ({"modality": "PT", "min_slices": 50}, {"pet"}),
        ({"modality": "MR", "description": "^t2"}, {"mr"}),
        ({"modality": "US"}, set()),
    ],
)
def test_the_longest_series_that_fits_all_is_taken(wanted, series):
    rule = StudyRule(name="r", series=(WantedSeries(**wanted),), destinations=("d",))
    assert {STUDY[path].series for path in choose_objects(rule, STUDY)} == series


def test_a_rule_of_two_series_takes_both_or_none():
    both = StudyRule(name="r", series=(WantedSeries(modality="CT"), WantedSeries(modality="PT")), destinations=("d",))
    assert {STUDY[path].series for path in choose_objects(both, STUDY)} == {"thin", "pet"}
    without = {path: header for path, header in STUDY.items() if header.series != "pet"}
    assert choose_objects(both, without) == ()
