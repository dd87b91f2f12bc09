"""One small oblique CT with its outline, as `support.dicom_factory` writes it, changed in one way; its truth by hand.

Five slices of 7 x 11 pixels, 3 x 0.8 x 0.5 mm; the outline GTV holds rows 1-4 and columns 2-6 of slice 1: 20 voxels. HU are
2 x stored - 1000.
"""

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from faults.corpus.fault import MR, Right, Sent, ingest_section
from support.dicom_factory import (
    SHAPE,
    WrittenSeries,
    affine_by_hand,
    stored_values,
    write_rtstruct,
    write_segmentation,
    write_series,
)

CORNERS = [(0.5, 1.5), (0.5, 6.5), (4.5, 6.5), (4.5, 1.5)]
STORED = stored_values()
#: Slice 2, row 3, column 4.
PLACE = tuple(round(float(v), 6) for v in affine_by_hand()[:3] @ np.array([2, 3, 4, 1.0]))
AT = (PLACE, float(STORED[2, 3, 4]) * 2.0 - 1000.0)
AT_MR = (PLACE, float(STORED[2, 3, 4]))
#: Rows 1-4, columns 2-6 of slice 1.
CENTROID = tuple(round(float(v), 6) for v in affine_by_hand()[:3] @ np.array([1, 2.5, 4, 1.0]))
READ = Right(voxels={"tumor": 20}, value_at=AT, centroid_mm=CENTROID, n_cases=1, n_patients=1, rejected=())
READ_MR = replace(READ, value_at=AT_MR)
SENT = Sent("", shape=SHAPE, value_at=AT)
SENT_MR = replace(SENT, value_at=AT_MR)
ON_MR = ingest_section(MR)
Change = Callable[[Dataset, int], None]


def refused(*reasons: str) -> Right:
    """Nothing may be accepted, by one of these reasons."""
    return Right(refused=reasons)


def not_sent(*reasons: str) -> Sent:
    """Both `predict` and the service must refuse the study."""
    return Sent("", refused=reasons)


def outlined(folder: Path, **values: Any) -> WrittenSeries:
    """Write the series and its outline."""
    series = write_series(folder / "images", **values)
    write_rtstruct(folder / "rs.dcm", series, {"GTV": [(1, CORNERS)]})
    return series


def changed(change: Change, **values: Any) -> Callable[[Path], None]:
    """Return what writes the study, each slice changed before it is written."""

    def make(folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom warns of what is written wrong on purpose
            outlined(folder, change=change, **values)

    return make


def edited(edit: Callable[[Path, int], None], **values: Any) -> Callable[[Path], None]:
    """Return what writes the study and then edits each file, given with its slice's number."""

    def make(folder: Path) -> None:
        for number, path in enumerate(outlined(folder, **values).paths):
            edit(path, number)

    return make


def with_beside(write: Callable[[Path, WrittenSeries], object], **values: Any) -> Callable[[Path], None]:
    """Return what writes the study and something beside it."""

    def make(folder: Path) -> None:
        write(folder, outlined(folder, **values))

    return make


def segmented(change: Callable[[Dataset], None] | None = None, **values: Any) -> Callable[[Path], None]:
    """Return what writes the series and the outline's voxels as a DICOM SEG."""

    def make(folder: Path) -> None:
        series = write_series(folder / "images")
        marked = np.zeros(SHAPE, dtype=bool)
        marked[1, 1:5, 2:7] = True
        write_segmentation(folder / "seg.dcm", series, {"GTV": marked}, change=change, **values)

    return make


def copied(folder: Path, series: WrittenSeries, name: str, change: Change) -> None:
    """Write every slice once more, as another instance, changed."""
    for number, path in enumerate(series.paths):
        data = pydicom.dcmread(path)
        data.SOPInstanceUID = f"{data.SOPInstanceUID}.{sum(map(ord, name))}"
        change(data, number)
        data.save_as(folder / "images" / f"{name}{number}.dcm")
