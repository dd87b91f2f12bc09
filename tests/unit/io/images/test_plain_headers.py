"""Headers as ITK reads them: what is called plain is what ITK says, to the last bit; what is not, is ITK's to read or to refuse."""

import gzip
import random
import sys
import zlib

import numpy as np
import pytest
import SimpleITK

from lesionflow.errors import InputError
from lesionflow.io.images import itk
from lesionflow.io.images.plain_headers import read_plain_header, read_texts

BODY = np.arange(4 * 3 * 2 * 3 * 8, dtype=np.uint8).tobytes()
TURN = "0.8 0.6 0 -0.6 0.8 0 0 0 1"
VECTORS = "(1.6,1.2,0) (-1.8,2.4,0) (0,0,5)"
N_DRAWN = 1000


def of_itk(path):
    """Return what SimpleITK says of a header; None when it refuses it."""
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return None
    kind = SimpleITK.GetPixelIDValueAsString(reader.GetPixelID())
    return (
        reader.GetSize(), reader.GetSpacing(), reader.GetDirection(), reader.GetOrigin(),
        str(itk.ITK_TYPES.get(kind)), reader.GetNumberOfComponents(),
    )  # fmt: skip


def of_us(path):
    told = read_plain_header(path)
    if told is None:
        return None
    rows = tuple(part for row in told.direction for part in row)
    return told.size, told.spacing_mm, rows, told.origin_mm, str(told.dtype.newbyteorder("=")), told.n_components


class Drawn:
    """Headers mostly as programs write them, each with some words that they hardly do."""

    def __init__(self, seed):
        self.draws = random.Random(seed)

    def one(self, usual, *others):
        return usual if self.draws.random() < 0.93 else self.draws.choice((usual, *others))

    def number(self):
        exact = f"{self.draws.uniform(-5, 5):.17g}"
        return self.one(
            f"{self.draws.uniform(-5, 5):.6g}", exact, "0", "-0", "1.", "-.5", "1e-3", "nan", "inf", "1e400", "0x10"
        )

    def numbers(self, n, between=" "):
        return between.join(self.number() for _ in range(n))

    def vector(self):
        return f"({self.numbers(self.one(3, 2), self.one(',', ', ', ' '))})"

    def disturbed(self, lines, extras):
        lines = list(lines)
        if self.draws.random() < 0.2:
            lines.insert(self.draws.randrange(len(lines) + 1), self.draws.choice(extras))
        if self.draws.random() < 0.05:
            lines.pop(self.draws.randrange(len(lines)))
        if self.draws.random() < 0.05:
            self.draws.shuffle(lines)
        return lines

    def nrrd(self, path):
        n = self.draws.choice((0, 0, 2, 3))
        first, size, none = (
            (self.one("vector ", "list ", "RGB-color ", "???  ", "domain "), f"{n} ", self.one("none ", "NaN "))
            if n
            else ("", "", "")
        )
        encoding = self.one("raw", "gzip", "ascii", "hex", "RAW")
        said = [
            ("type", self.one("short", "uchar", "unsigned char", "float", "double", "uint16", "int", "long", "int64", "Short")),
            ("dimension", "4" if n else "3"),
            ("space", self.one("left-posterior-superior", "LPS", "RAS", "right-anterior-superior", "left-anterior-superior", "scanner-xyz")),
            ("sizes", size + self.one("4 3 2", "4  3 2", "04 3 2", "4 3 -2", "4 3 0")),
            ("space directions", none + self.one(" ", "  ", "").join(self.vector() for _ in range(3))),
            ("kinds", first + self.one("domain domain domain", "space space space", "domain domain time")),
            ("endian", self.one("little", "big", "Little")),
            ("encoding", encoding),
            ("space origin", self.vector()),
        ]  # fmt: skip
        extras = [
            ("content", "a: b"), ("space units", '"mm" "mm" "mm"'), ("byte skip", "0"), ("byte skip", "2"), ("line skip", "1"), ("thicknesses", "1 1 1"),
            ("measurement frame", "(1,0,0) (0,1,0) (0,0,1)"), ("spacings", "1 1 1"), ("type", "short"), ("foo", "bar"), ("axis mins", "0 0 0"),
        ]  # fmt: skip
        lines = [f"{key}{self.one(': ', ':')}{value}" for key, value in self.disturbed(said, extras)]
        head = "\n".join([f"NRRD000{self.one(4, 1, 5, 6)}", *lines, *self.one([], ["# x: y"], ["a:=b c"])]) + "\n\n"
        path.write_bytes(head.encode() + (gzip.compress(BODY) if encoding == "gzip" else BODY))

    def mha(self, path):
        packed = self.one("False", "True", "true")
        said = [
            ("ObjectType", self.one("Image", "image")), ("NDims", self.one("3", "2", "4")), ("BinaryData", self.one("True", "1", "False")),
            (self.one("BinaryDataByteOrderMSB", "ElementByteOrderMSB"), self.one("False", "True")), ("CompressedData", packed),
            ("TransformMatrix", self.one(TURN, self.numbers(9), "1 0 0 0 1 0 0 0")), (self.one("Offset", "Position", "Origin"), self.numbers(3)),
            ("CenterOfRotation", "0 0 0"), ("AnatomicalOrientation", self.one("RAI", "LPS")),
            ("ElementSpacing", self.one("2 3 5", self.numbers(3))), ("DimSize", self.one("4 3 2", "4 3 0", "4 3", "4.5 3 2")),
            ("ElementType", self.one("MET_SHORT", "MET_UCHAR", "MET_FLOAT", "MET_DOUBLE", "MET_LONG", "MET_UINT", "MET_UCHAR_ARRAY", "met_short")),
        ]  # fmt: skip
        extras = [
            ("ElementNumberOfChannels", "2"), ("ElementSize", "9 9 9"), ("HeaderSize", "-1"), ("Foo", "bar"), ("Offset", "9 9 9"),
            ("Rotation", "0 1 0 1 0 0 0 0 1"), ("Modality", "MET_MOD_CT"), ("Name", "x = y"), ("ElementMin", "3"),
        ]  # fmt: skip
        lines = [f"{key}{self.one(' = ', '=')}{value}" for key, value in self.disturbed(said, extras)]
        head = "\n".join([*lines, "ElementDataFile = LOCAL"]) + "\n"
        path.write_bytes(head.encode() + (zlib.compress(BODY) if packed != "False" else BODY))


@pytest.mark.parametrize("kind", ["nrrd", "mha"])
def test_a_plain_header_says_what_itk_says_to_the_last_bit(tmp_path, kind):
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    drawn, path, n_plain = Drawn(7), tmp_path / f"a.{kind}", 0
    for _ in range(N_DRAWN):
        getattr(drawn, kind)(path)
        ours = of_us(path)
        if ours is not None:
            assert ours == of_itk(path), path.read_bytes().partition(BODY[:9])[0]
            n_plain += 1
    assert N_DRAWN / 10 < n_plain < 0.9 * N_DRAWN


def image_of(pixel, n_components=1):
    voxels = np.random.default_rng(3).integers(0, 100, (2, 3, 4, *([n_components] if n_components > 1 else [])))
    made = SimpleITK.GetImageFromArray(voxels.astype(pixel), isVector=n_components > 1)
    made.SetSpacing((0.7, 0.9, 2.5))
    made.SetOrigin((-10.1, 20.2, -30.3))
    made.SetDirection((0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1))
    return made


@pytest.mark.parametrize("ending", ["nrrd", "nhdr", "mha", "mhd"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("pixel", "n_components"), [("uint8", 1), ("int16", 1), ("float32", 3), ("float64", 1), ("uint16", 2)]
)
def test_what_programs_write_is_read_without_itk(tmp_path, monkeypatch, ending, packed, pixel, n_components):
    image, path = image_of(pixel, n_components), tmp_path / f"a.{ending}"
    image.SetMetaData("A", "b")
    SimpleITK.WriteImage(image, str(path), useCompression=packed)
    assert of_us(path) == of_itk(path)
    expected = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    channels, grid = itk.read(path, "c-1")
    for channel, voxels in enumerate(channels):
        np.testing.assert_array_equal(voxels, expected[..., channel] if n_components > 1 else expected)
        assert voxels.dtype == np.dtype(pixel)
    np.testing.assert_allclose(grid.to_lps((0, 0, 0)), (-10.1, 20.2, -30.3))


def test_the_other_order_of_bytes_is_turned(tmp_path, monkeypatch):
    voxels = np.arange(24, dtype=">i2").reshape(2, 3, 4)
    head = f"NRRD0004\ntype: short\ndimension: 3\nspace: LPS\nsizes: 4 3 2\nspace directions: {VECTORS}\nendian: big\nencoding: raw\nspace origin: (0,0,0)\n\n"
    (tmp_path / "a.nrrd").write_bytes(head.encode() + voxels.tobytes())
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    (found,), _ = itk.read(tmp_path / "a.nrrd", "c-1")
    np.testing.assert_array_equal(found, voxels)
    assert found.dtype.isnative


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
def test_missing_voxels_are_missed_without_itk_too(tmp_path, monkeypatch, encoding):
    head = f"NRRD0004\ntype: short\ndimension: 3\nspace: LPS\nsizes: 4 3 2\nspace directions: {VECTORS}\nendian: little\nencoding: {encoding}\nspace origin: (0,0,0)\n\n"
    body = gzip.compress(BODY[:40]) if encoding == "gzip" else BODY[:40]
    (tmp_path / "a.nrrd").write_bytes(head.encode() + body)
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(InputError) as caught:
        itk.read(tmp_path / "a.nrrd", "c-1")
    assert caught.value.reason == "unreadable_image"


def test_a_rare_form_is_itks_and_without_it_refused_by_what_would_read_it(tmp_path, monkeypatch):
    text = " ".join(map(str, range(24)))
    head = f"NRRD0004\ntype: short\ndimension: 3\nspace: LPS\nsizes: 4 3 2\nspace directions: {VECTORS}\nencoding: ascii\nspace origin: (0,0,0)\n\n"
    (tmp_path / "a.nrrd").write_text(head + text)
    (found,), _ = itk.read(tmp_path / "a.nrrd", "c-1")
    np.testing.assert_array_equal(found.ravel(), np.arange(24))
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(InputError, match="no SimpleITK here") as caught:
        itk.read(tmp_path / "a.nrrd", "c-1")
    assert caught.value.reason == "unreadable_image"


def test_texts_of_a_header_are_itks(tmp_path):
    image, path = image_of("uint8"), tmp_path / "a.seg.nrrd"
    said = {
        "Segment0_Name": "Leber: links",
        "Segment0_Tags": "a:b^c|d=e",
        "Segment1_Name": "Knötchen",
        "path": "C:\\new\\x",
    }
    for key, text in said.items():
        image.SetMetaData(key, text)
    SimpleITK.WriteImage(image, str(path))
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    expected = {key: reader.GetMetaData(key) for key in said}
    found = read_texts(path)
    assert {key: found[key] for key in said} == expected
    path.write_bytes(path.read_bytes().replace("ö".encode(), b"\xff\xfe"))
    with pytest.raises(InputError) as caught:
        itk.read_fields(path, "c-1")
    assert caught.value.reason == "unreadable_image"
