"""Which of a study's objects a rule asks for."""

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from lesionflow.io.dicom.arriving.instance_header import InstanceHeader
from lesionflow.pacs.network_config import StudyRule, WantedSeries

#: What is looked at of a description: a regular expression of a rule must not be asked of more.
LONGEST_DESCRIPTION = 256


def choose_objects(rule: StudyRule, headers: Mapping[Path, InstanceHeader]) -> tuple[Path, ...]:
    """Return the objects of the series that a rule asks for, sorted by their UIDs; nothing where one of its series is not there.

    Args:
        rule: The rule.
        headers: Of each object of the study.
    """
    series: dict[str, list[Path]] = defaultdict(list)
    for path, header in headers.items():
        series[header.series].append(path)
    chosen: list[Path] = []
    for wanted in rule.series:
        fits = [paths for paths in series.values() if fits_series(wanted, [headers[path] for path in paths])]
        if not fits:
            return ()
        # Of those that are as long the first by its UID, so that a study that comes again gives the same.
        best = max(fits, key=lambda paths: (_n_slices([headers[p] for p in paths]), headers[paths[0]].series))
        chosen += [path for path in best if path not in chosen]
    return tuple(sorted(chosen, key=lambda path: headers[path].sop_instance))


def fits_series(wanted: WantedSeries, headers: list[InstanceHeader]) -> bool:
    """Tell whether a series is what a rule asks for."""
    one = headers[0]
    return (
        one.modality == wanted.modality
        and (not wanted.plane or one.plane == wanted.plane)
        and _n_slices(headers) >= wanted.min_slices
        and re.search(wanted.description, one.description[:LONGEST_DESCRIPTION], re.IGNORECASE) is not None
    )


def _n_slices(headers: list[InstanceHeader]) -> int:
    return sum(header.n_frames for header in headers)
