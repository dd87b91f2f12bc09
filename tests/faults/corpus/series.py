"""What a DICOM series, and what series beside one another, say of where their voxels lie."""

from pathlib import Path

from faults.corpus.fault import Fault, Right, Sent
from support.dicom_factory import write_rtstruct, write_series

CORNERS = [(0.5, 1.5), (0.5, 6.5), (4.5, 6.5), (4.5, 1.5)]


def _ct(folder: Path) -> None:
    series = write_series(folder / "CT")
    write_rtstruct(folder / "rs.dcm", series, {"GTV": [(1, CORNERS), (2, CORNERS)]})


FAULTS = (
    Fault(
        name="one-ct-with-its-outline",
        source="",
        met="(the good study that the others harm)",
        answer="Read: 4 x 5 voxels on two slices.",
        make=_ct,
        right=Right(voxels={"tumor": 40}, n_cases=1, n_patients=1, rejected=()),
        sent=Sent("", shape=(5, 7, 11)),
    ),
)
