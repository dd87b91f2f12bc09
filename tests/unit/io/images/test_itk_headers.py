"""Headers written by hand: each word that changes where voxels lie, or what they are."""

import numpy as np
import pytest
from SimpleITK import GetImageFromArray, ReadImage, WriteImage

from lesionflow.errors import InputError
from lesionflow.io.images.itk import read

NRRD = {
    "type": "short",
    "dimension": "3",
    "space": "left-posterior-superior",
    "sizes": "4 3 2",
    "space directions": "(2,0,0) (0,3,0) (0,0,5)",
    "endian": "little",
    "encoding": "raw",
    "space origin": "(-10,-20,30)",
}
MHA = {
    "ObjectType": "Image",
    "NDims": "3",
    "BinaryData": "True",
    "BinaryDataByteOrderMSB": "False",
    "Offset": "-10 -20 30",
    "ElementSpacing": "2 3 5",
    "DimSize": "4 3 2",
    "ElementType": "MET_SHORT",
}
VOXELS = np.arange(24, dtype="<i2")


def nrrd(tmp_path, **changes):
    said = NRRD | {key.replace("_", " "): value for key, value in changes.items()}
    head = "NRRD0005\n" + "".join(f"{key}: {value}\n" for key, value in said.items() if value) + "\n"
    (tmp_path / "a.nrrd").write_bytes(head.encode() + VOXELS.tobytes())
    return tmp_path / "a.nrrd"


def mha(tmp_path, **changes):
    head = "".join(f"{key} = {value}\n" for key, value in (MHA | changes).items()) + "ElementDataFile = LOCAL\n"
    (tmp_path / "a.mha").write_bytes(head.encode() + VOXELS.tobytes())
    return tmp_path / "a.mha"


def reason(path):
    with pytest.raises(InputError, match="c-1") as caught:
        read(path, "c-1")
    return caught.value.reason


@pytest.mark.parametrize(
    ("space", "directions", "origin"),
    [
        ("left-posterior-superior", "(2,0,0) (0,3,0) (0,0,5)", "(-10,-20,30)"),
        ("RAS", "(-2,0,0) (0,-3,0) (0,0,5)", "(10,20,30)"),
        ("left-anterior-superior", "(2,0,0) (0,-3,0) (0,0,5)", "(-10,20,30)"),
    ],
)
def test_each_space_of_a_patient_leads_to_one_place(tmp_path, space, directions, origin):
    path = nrrd(tmp_path, space=space, space_directions=directions, space_origin=origin)
    (voxels,), grid = read(path, "c-1")
    np.testing.assert_allclose(grid.to_lps((1, 2, 3)), (-4, -14, 35))
    assert voxels[1, 2, 3] == 23


@pytest.mark.parametrize("space", ["scanner-xyz", "3D-right-handed", "left-posterior-superior-time"])
def test_another_space_is_no_place(tmp_path, space):
    assert reason(nrrd(tmp_path, space=space)) == "missing_geometry"


def test_an_origin_is_never_made_up(tmp_path):
    assert reason(nrrd(tmp_path, space_origin=None)) == "missing_geometry"


def test_lengths_are_millimeters(tmp_path):
    read(nrrd(tmp_path, space_units='"mm" "mm" "mm"'), "c-1")
    assert reason(nrrd(tmp_path, space_units='"um" "um" "um"')) == "unsupported_unit"


def test_values_that_are_still_to_be_scaled_are_refused(tmp_path):
    read(mha(tmp_path, ElementToIntensityFunctionSlope="1", ElementToIntensityFunctionOffset="0"), "c-1")
    assert reason(mha(tmp_path, ElementToIntensityFunctionSlope="2")) == "unsupported_scaling"
    assert reason(mha(tmp_path, ElementToIntensityFunctionOffset="-1024")) == "unsupported_scaling"


def test_spacing_below_0_turns_its_axis(tmp_path):
    _, grid = read(mha(tmp_path, ElementSpacing="2 3 -5"), "c-1")
    np.testing.assert_allclose(grid.to_lps((1, 0, 0)), (-10, -20, 25))


def test_directions_whose_length_overflows_are_refused_though_itk_takes_unit_vectors(tmp_path):
    content = np.zeros((5, 7, 11), np.uint8)
    WriteImage(GetImageFromArray(content), str(tmp_path / "a.nrrd"))
    text = (tmp_path / "a.nrrd").read_bytes()
    assert b"(1,0,0)" in text
    (tmp_path / "a.nrrd").write_bytes(text.replace(b"(1,0,0)", b"(1e300,0,0)"))
    assert ReadImage(str(tmp_path / "a.nrrd")).GetSpacing() == (1.0, 1.0, 1.0)
    with pytest.raises(InputError) as refusal:
        read(tmp_path / "a.nrrd", "c-1")
    assert refusal.value.reason == "invalid_geometry"
