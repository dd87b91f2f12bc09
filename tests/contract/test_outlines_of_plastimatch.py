"""Structure sets as another program reads them: Debian's plastimatch, which shares no code with us."""

import shutil
import subprocess

import numpy as np
import pydicom
import pytest
import SimpleITK

from lesionflow.data.geometry import Geometry
from lesionflow.io.dicom.rtstruct import read_structures
from lesionflow.io.rules import ReadingRules, SeriesRule
from support.dicom_factory import AXIAL, write_rtstruct, write_series

PROGRAM = shutil.which("plastimatch")
SHAPE = (6, 40, 56)
RULES = ReadingRules({"CT": SeriesRule("CT")}, "CT", {"tumor": 1}, (("(?i)gtv.*", "tumor"),))

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="plastimatch (Debian's package of that name) is not installed")


def theirs(rtstruct, ct, out, *options):
    """Structures by name, as bool (slice, row, column)."""
    command = [PROGRAM, "convert", "--input", rtstruct, "--referenced-ct", ct, "--output-prefix", out]
    subprocess.run([*command, "--prefix-format", "nrrd", *options], check=True, capture_output=True)
    return {path.stem: SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(path)) > 0 for path in out.glob("*.nrrd")}


def ours(rtstruct, series, shape=SHAPE):
    geometry = Geometry(shape, series.affine_by_hand)
    return read_structures(pydicom.dcmread(rtstruct), geometry, series.frame_uid, RULES, name="c-1").labels > 0


def star(rng, row, column, largest):
    angle = np.sort(rng.uniform(0, 2 * np.pi, 30))
    radius = rng.uniform(largest / 3, largest, 30)
    return np.stack([row + radius * np.sin(angle), column + radius * np.cos(angle)], axis=1)


def box(top, left, bottom, right):
    return np.array([(top, left), (top, right), (bottom, right), (bottom, left)]) - 0.5


def outlines(seed):
    """Contours that are read alike by all: alone, apart, crossing, twice, a keyhole."""
    rng = np.random.default_rng(seed)
    outer, hole = box(6, 8, 30, 40), box(12, 15, 20, 25)[::-1]
    one, other = star(rng, 18.3, 20.7, 14), star(rng, 21.1, 32.4, 12)
    return [
        (0, star(rng, 17.2, 24.6, 16)),
        (1, star(rng, 9.3, 11.8, 8)),
        (1, star(rng, 29.4, 42.1, 9)),
        (2, one),
        (2, other),
        (3, one),
        (3, np.roll(one, 7, axis=0)[::-1]),
        (4, np.vstack([outer, outer[:1], hole, hole[:1]])),
        (5, other),
    ]


@pytest.mark.parametrize("seed", range(3))
def test_both_read_the_same_voxels(tmp_path, seed):
    series = write_series(tmp_path / "CT", shape=SHAPE, orientation=AXIAL)
    path = write_rtstruct(tmp_path / "rs.dcm", series, {"GTV": outlines(seed)})
    (found,) = theirs(path, series.folder, tmp_path / "out").values()
    np.testing.assert_array_equal(ours(path, series), found)


def test_both_read_the_same_holes(tmp_path):
    """Told that contours exclude one another, it reads a contour within another as a hole."""
    series = write_series(tmp_path / "CT", shape=SHAPE, orientation=AXIAL)
    nested = [(k, corners) for k in (1, 2) for corners in (box(4, 6, 30, 44), box(8, 10, 24, 40), box(12, 15, 20, 25))]
    path = write_rtstruct(tmp_path / "rs.dcm", series, {"GTV": nested})
    (found,) = theirs(path, series.folder, tmp_path / "out", "--xor-contours").values()
    np.testing.assert_array_equal(ours(path, series), found)
