"""Contours of structure sets."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from faults.corpus.fault import CT, Fault, Right, Sent, ingest_section
from support.dicom_factory import AXIAL, ROOT, SPACING_MM, write_rtstruct, write_series

SHAPE = (9, 24, 28)
Corners = Sequence[tuple[float, float]]
Polygon = tuple[int, Corners]
Change = Callable[[Dataset], object]


def _box(top: int, left: int, bottom: int, right: int) -> Corners:
    """Corners between the centers: rows top to bottom - 1, columns left to right - 1 lie inside."""
    return [(i - 0.5, j - 0.5) for i, j in ((top, left), (top, right), (bottom, right), (bottom, left))]


#: 10 rows of 12 columns.
A = _box(3, 4, 13, 16)
#: As large; 5 rows of 6 columns lie in the first.
B = _box(8, 10, 18, 22)
#: 3 rows of 4 columns in the first.
HOLE = _box(5, 6, 8, 10)

#: Of rows and columns of A.
A_MIDDLE = tuple(np.mean(A, axis=0))


def _fault(
    name: str,
    source: str,
    met: str,
    answer: str,
    right: Right,
    rois: Sequence[Polygon] | Mapping[str, Sequence[Polygon]],
    *changes: Change,
    lift_mm: float = 0.0,
    outlines: str = "(?i)gtv.*",
) -> Fault:
    """Outlines of structure `GTV`, or of several by name, on an oblique CT of nine slices."""
    named = rois if isinstance(rois, Mapping) else {"GTV": rois}

    def make(folder: Path) -> None:
        def change(data: Dataset) -> None:
            for one in changes:
                one(data)

        series = write_series(folder / "CT", shape=SHAPE)
        write_rtstruct(folder / "rs.dcm", series, named, change=change, lift_mm=lift_mm)

    rules = ingest_section(CT, outlines=[{"pattern": outlines, "label": "tumor"}])
    # What is sent to be segmented is the study as it lies: its outlines are not read, whatever they are.
    return Fault(name, source, met, answer, make, right, Sent("", shape=SHAPE), rules)


def _read(n_voxels: int, *notes: str) -> Right:
    return Right(voxels={"tumor": n_voxels}, n_cases=1, n_patients=1, rejected=(), notes=notes)


def _refused(*reasons: str) -> Right:
    return Right(refused=reasons)


def _typed(kind: str, *numbers: int) -> Change:
    """Give contours of the first structure a type; all of them if none are told."""

    def change(data: Dataset) -> None:
        contours = data.ROIContourSequence[0].ContourSequence
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom warns of a type that is longer than the standard allows
            for n in numbers or range(len(contours)):
                contours[n].ContourGeometricType = kind

    return change


def _contour(n: int, **values: object) -> Change:
    def change(data: Dataset) -> None:
        for keyword, value in values.items():
            setattr(data.ROIContourSequence[0].ContourSequence[n], keyword, value)

    return change


def _without_image_references(data: Dataset) -> None:
    for contour in data.ROIContourSequence[0].ContourSequence:
        del contour.ContourImageSequence


def _without_second_item(data: Dataset) -> None:
    del data.ROIContourSequence[1]


def _one_number(data: Dataset) -> None:
    data.StructureSetROISequence[1].ROINumber = 1


def _one_name(data: Dataset) -> None:
    data.StructureSetROISequence[1].ROIName = "GTV"


def _another_frame(data: Dataset) -> None:
    data.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID = f"{ROOT}.404"
    data.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = f"{ROOT}.404"


def _utf8(data: Dataset) -> None:
    data.SpecificCharacterSet = "ISO_IR 192"


def _lifted(*slices: float) -> Change:
    """Put the contours at these slice indices, along the normal of the slices."""

    def change(data: Dataset) -> None:
        for index, contour in zip(slices, data.ROIContourSequence[0].ContourSequence, strict=True):
            points = np.array(contour.ContourData, dtype=float).reshape(-1, 3)
            moved = points + index * SPACING_MM[0] * np.array((0.48, -0.64, 0.6))
            contour.ContourData = [f"{v:.6f}" for v in moved.ravel()]

    return change


def _tilted(data: Dataset) -> None:
    contour = data.ROIContourSequence[0].ContourSequence[0]
    points = np.array(contour.ContourData, dtype=float).reshape(-1, 3)
    points[:2] += 4.0 * np.array((0.48, -0.64, 0.6))
    contour.ContourData = [f"{v:.6f}" for v in points.ravel()]


def _two_series(folder: Path) -> None:
    """The structure set names the second of two series that lie on the same places."""
    write_series(folder / "CT", shape=SHAPE, description="soft")
    other = write_series(folder / "CT lung", shape=SHAPE, description="lung")
    write_rtstruct(folder / "rs.dcm", other, {"GTV": [(1, A)]})


def _two_sets(folder: Path) -> None:
    series = write_series(folder / "CT", shape=SHAPE)
    write_rtstruct(folder / "first.dcm", series, {"GTV": [(1, A)]})
    write_rtstruct(
        folder / "second.dcm",
        series,
        {"GTV": [(1, B)]},
        change=lambda data: setattr(data, "SOPInstanceUID", f"{ROOT}.89"),
    )


def _oblique_and_axial(folder: Path) -> None:
    series = write_series(folder / "CT", shape=SHAPE, orientation=AXIAL)
    write_rtstruct(folder / "rs.dcm", series, {"GTV": [(1, A)]})


_KEYHOLE = [*A, A[0], *reversed(HOLE), HOLE[-1]]
_EIGHT = [(3.5, 3.5), (12.5, 15.5), (3.5, 15.5), (12.5, 3.5)]
_HALF_TWICE = [(1.5, 1.5), (1.5, 20.5), (18.5, 20.5), (18.5, 6.5), (6.5, 6.5), (6.5, 15.5), (22.5, 15.5), (22.5, 1.5)]

FAULTS: tuple[Fault, ...] = (
    _fault(
        "contour-twice-a-little-larger",
        "",
        "A contour and the same one grown by 0.6 pixels: by nesting a ring a pixel wide was left of the structure.",
        "Refused: a thin wall, or one contour drawn twice.",
        _refused("ambiguous_contours"),
        [
            (3, A),
            (3, [(r + 0.6 * (1 if r > A_MIDDLE[0] else -1), c + 0.6 * (1 if c > A_MIDDLE[1] else -1)) for r, c in A]),
        ],
    ),
    _fault(
        "contour-twice-from-another-corner",
        "",
        "A contour exported twice, the copy from its next corner: by exclusive or its slice is empty.",
        "A copy counts once, whatever its first corner, its sense, its closing point; said by a note.",
        _read(120, "repeated_contours"),
        [(3, A), (3, [A[2], A[1], A[0], A[3], A[2]])],
    ),
    _fault(
        "contour-run-round-twice",
        "",
        "A contour whose corners are told twice in a row: by the even-odd rule nothing is inside.",
        "One round counts; said by a note.",
        _read(120, "repeated_contours"),
        [(3, [*A, *A])],
    ),
    _fault(
        "contours-that-cross",
        "medical-physics-usz/z-rad#181",
        "Exclusive or takes away what two CLOSED_PLANAR contours have in common.",
        "They are united; said by a note.",
        _read(120 + 120 - 30, "crossing_contours"),
        [(3, A), (3, B)],
    ),
    _fault(
        "contours-of-type-xor",
        "medical-physics-usz/z-rad#181",
        "Contours of type CLOSEDPLANAR_XOR are united like others.",
        "They combine by exclusive or, as the standard says.",
        _read(120 + 120 - 2 * 30),
        [(3, A), (3, B)],
        _typed("CLOSEDPLANAR_XOR"),
    ),
    _fault(
        "xor-contour-twice",
        "",
        "A CLOSEDPLANAR_XOR contour exported twice: nothing is left of it.",
        "Refused: whether it is a copy or was meant to be nothing can't be told.",
        _refused("duplicate_contour"),
        [(3, A), (3, A)],
        _typed("CLOSEDPLANAR_XOR"),
    ),
    _fault(
        "both-contour-types-on-a-slice",
        "",
        "CLOSED_PLANAR and CLOSEDPLANAR_XOR meet on one slice, for which nothing says how they combine.",
        "Refused.",
        _refused("ambiguous_contours"),
        [(3, A), (3, HOLE)],
        _typed("CLOSEDPLANAR_XOR", 1),
    ),
    _fault(
        "hole-as-a-contour-within",
        "pyplati/platipy#244",
        "A contour within another is filled like the rest, so that the hole is lost.",
        "A contour wholly within another is a hole.",
        _read(120 - 12),
        [(3, A), (3, HOLE)],
    ),
    _fault(
        "ring-with-an-island",
        "Sikerdebaard/dcmrtstruct2nii#31",
        "A ring becomes a filled disc; what lies in its hole is lost.",
        "Contours nest: hole, island in the hole, in whatever order they are told.",
        _read(120 - 12 + 2),
        [(3, _box(6, 7, 7, 9)), (3, A), (3, HOLE)],
    ),
    _fault(
        "hole-that-touches-the-edge",
        "",
        "A hole that reaches the outer contour's edge is not seen as one.",
        "It is a hole, coordinates rounded or not.",
        _read(120 - 4 * 8),
        [(3, A), (3, [(9.01 if i > 9 else i, j) for i, j in _box(3, 6, 7, 14)])],
    ),
    _fault(
        "hole-drawn-over-the-edge",
        "",
        "A contour lies within another but for half a pixel: a hole drawn over the edge, or a part of it?",
        "Refused.",
        _refused("ambiguous_contours"),
        [(3, A), (3, [(i - 0.6 if i < 3 else i, j) for i, j in _box(3, 6, 7, 14)])],
    ),
    _fault(
        "keyhole",
        "SlicerRt/SlicerRT#171",
        "A hole joined to its outline by a channel is filled, or leaves a scratch.",
        "The channel has no width and holds nothing.",
        _read(120 - 12),
        [(3, _KEYHOLE)],
    ),
    _fault(
        "keyhole-with-an-island",
        "",
        "A contour in a keyhole's hole is taken for a hole in the keyhole.",
        "It lies outside of what the keyhole encloses, and is added.",
        _read(120 - 12 + 2),
        [(3, _KEYHOLE), (3, _box(6, 7, 7, 9))],
    ),
    _fault(
        "hole-smaller-than-a-voxel",
        "open-vv/vv#117",
        "A contour of an eighth of a voxel makes a whole slice vanish.",
        "It holds no voxel's center and changes nothing.",
        _read(240),
        [(3, A), (3, [(5.1, 6.1), (5.1, 6.3), (5.3, 6.3), (5.3, 6.1)]), (4, A)],
    ),
    _fault(
        "figure-of-eight",
        "qupath/qupath#1674",
        "A contour that crosses itself is filled by one rule in one program and by another in the next.",
        "Even-odd: both halves are inside.",
        # Columns on either side on rows 4 to 12: the lines cross at row 8 and leave the sides by 4/3 columns a row.
        _read(2 * (1 + 2 + 3 + 5 + 6 + 5 + 3 + 2 + 1)),
        [(3, _EIGHT)],
    ),
    _fault(
        "half-of-a-contour-run-round-twice",
        "CSAILVision/LabelMeToolbox#4",
        "A contour runs round half of itself twice: even-odd makes that a hole, nonzero does not.",
        "Refused beyond 5 % of it: hole or part can't be told.",
        _refused("self_crossing_contour"),
        [(3, _HALF_TWICE)],
    ),
    _fault(
        "contours-on-every-second-slice",
        "",
        "Contours drawn on every second slice: the mask is striped.",
        "The slices between are interpolated by shape, as planning systems do; said by a note.",
        _read(7 * 120, "contour_gaps_filled"),
        [(k, A) for k in (1, 3, 5, 7)],
    ),
    _fault(
        "contours-on-every-third-slice",
        "",
        "Contours drawn on every third slice: two of three slices are empty.",
        "The slices between are interpolated by shape; said by a note.",
        _read(7 * 120, "contour_gaps_filled"),
        [(k, A) for k in (1, 4, 7)],
    ),
    _fault(
        "one-contour-forgotten",
        "",
        "One slice within a tumor has no contour.",
        "It is interpolated where the contours beside it overlap by half; said by a note.",
        _read(5 * 120, "contour_gaps_filled"),
        [(k, A) for k in (1, 2, 4, 5)],
    ),
    _fault(
        "two-nodules-of-one-structure",
        "KitwareMedical/ITKContourInterpolation#85",
        "Two areas that do not overlap are joined by a phantom of both.",
        "Parts that do not lie over each other are separate.",
        _read(4 * 12),
        [(k, HOLE) for k in (1, 2)] + [(k, _box(15, 20, 18, 24)) for k in (4, 5)],
    ),
    _fault(
        "two-nodules-one-above-the-other",
        "",
        "Two nodules one above the other are bridged.",
        "A gap longer than contours are apart elsewhere stays; said by a note.",
        _read(4 * 12, "contour_gaps_left"),
        [(k, HOLE) for k in (0, 1, 6, 7)],
    ),
    _fault(
        "contours-here-and-there",
        "",
        "Contours on slices 0, 3 and 8 of a tumor: no distance repeats.",
        "Refused: which gaps are meant can't be told.",
        _refused("contour_gaps"),
        [(k, A) for k in (0, 3, 8)],
    ),
    _fault(
        "contours-between-the-slices",
        "e0404/matRad#910",
        "Contours near the border between two slices are dropped.",
        "Each slice takes the nearest contour plane within half a slice; said by a note.",
        _read(3 * 120, "contours_between_slices"),
        [(k, A) for k in (2, 3, 4)],
        lift_mm=1.3,
    ),
    _fault(
        "contours-finer-than-the-slices",
        "",
        "Contours lie more closely than the slices: several fall on one and cancel each other out.",
        "A slice takes the nearest plane alone; said by a note.",
        _read(2 * 120 + 108, "contours_between_slices"),
        [(0, A), (0, _box(4, 4, 13, 16)), (0, A), (0, _box(4, 4, 13, 16)), (0, _box(4, 4, 13, 16))],
        _lifted(2, 2.5, 3, 3.5, 4),
    ),
    _fault(
        "part-on-planes-of-its-own",
        "",
        "One part lies on the slices and another 0.4 slices off them: the nearest plane would lose it.",
        "Refused.",
        _refused("contour_off_plane"),
        [(0, A), (0, A), (0, _box(15, 18, 20, 26)), (0, _box(15, 18, 20, 26))],
        _lifted(2, 3, 2.4, 3.4),
    ),
    _fault(
        "tilted-contour",
        "OHIF/Viewers#2063",
        "A contour out of the plane of the slices is shown on the nearest.",
        "Refused.",
        _refused("contour_off_plane"),
        [(3, A)],
        _tilted,
    ),
    _fault(
        "outlines-of-an-oblique-series",
        "pyplati/platipy#165",
        "On slices that are not axial z differs within a contour: slices are missing from the mask.",
        "Contours are brought to the grid of the series first.",
        _read(3 * 120),
        [(k, A) for k in (2, 3, 4)],
    ),
    Fault(
        "rows-and-columns-differ",
        "Sikerdebaard/dcmrtstruct2nii#28",
        "Contours of images with more columns than rows are said to lie outside.",
        "Read.",
        _oblique_and_axial,
        _read(120),
    ),
    _fault(
        "a-little-beyond-the-images",
        "medical-physics-usz/z-rad#252",
        "A contour that reaches beyond the images ends in an error, or vanishes as a whole.",
        "Up to 5 % of the outlined area is cut off; said by a note.",
        _read(4 * 120 + 2 * 10, "contours_clipped"),
        [(k, A) for k in (1, 2, 3, 4)] + [(5, _box(22, 8, 26, 18))],
    ),
    _fault(
        "beyond-the-slices",
        "pyplati/platipy#172",
        "A negative slice index counts from the end: the contour lands on another slice.",
        "Refused where more than 5 % of what is outlined lies beyond.",
        _refused("contour_outside_image"),
        [(0, A), (-2, A)],
    ),
    _fault(
        "beyond-the-rows",
        "Sikerdebaard/dcmrtstruct2nii#47",
        "A contour beyond the image is ignored as a whole.",
        "Refused where more than 5 % of what is outlined lies beyond.",
        _refused("contour_outside_image"),
        [(3, _box(10, 4, 40, 16))],
    ),
    _fault(
        "contour-of-two-corners",
        "qurit/rt-utils#87",
        "A contour of two corners in a good structure raises an error.",
        "Left out; said by a note.",
        _read(120, "dropped_contours"),
        [(3, A), (4, A[:2])],
    ),
    _fault(
        "closed-contour-of-one-corner",
        "qurit/rt-utils#105",
        "A CLOSED_PLANAR contour of a single corner.",
        "Left out; said by a note.",
        _read(120, "dropped_contours"),
        [(3, A), (4, A[:1])],
    ),
    _fault(
        "contour-along-a-line",
        "",
        "All corners of a contour lie on one line.",
        "Left out; said by a note.",
        _read(120, "dropped_contours"),
        [(3, A), (4, [(3.0, 3.0), (3.0, 9.0), (3.0, 5.0)])],
    ),
    _fault(
        "point-beside-contours",
        "qurit/rt-utils#16",
        "A lone voxel is exported as a contour of type POINT.",
        "It encloses nothing and is left out; said by a note.",
        _read(120, "dropped_contours"),
        [(3, A), (4, A[:1])],
        _typed("POINT", 1),
    ),
    _fault(
        "open-line-beside-contours",
        "SlicerRt/SlicerRT#45",
        "Open contours are closed and filled, or stop the import.",
        "Left out; said by a note.",
        _read(120, "dropped_contours"),
        [(3, A), (4, A)],
        _typed("OPEN_PLANAR", 1),
    ),
    _fault(
        "needle-in-space",
        "qurit/rt-utils#60",
        "A structure of type OPEN_NONPLANAR, such as an applicator, has no mask, and asking for one is an error.",
        "Refused by its name when it is all that is wanted.",
        _refused("open_contour"),
        [(3, A)],
        _typed("OPEN_NONPLANAR"),
    ),
    _fault(
        "nothing-but-one-point",
        "brianmanderson/Dicom_RT_and_Images_to_Mask#22",
        "A program exports one coordinate where a contour should be.",
        "Refused: nothing is enclosed.",
        _refused("degenerate_contour"),
        [(3, A[:1])],
    ),
    _fault(
        "contours-interpolated-by-a-program",
        "Sikerdebaard/dcmrtstruct2nii#2",
        "Contours of type INTERPOLATED_PLANAR, which is no defined term, are skipped.",
        "Read as closed contours.",
        _read(240),
        [(3, A), (4, A)],
        _typed("INTERPOLATED_PLANAR", 1),
    ),
    _fault(
        "contours-that-name-no-image",
        "qurit/rt-utils#49",
        "A contour without its image sequence, which is optional, raises an error.",
        "Contours are matched to slices by position.",
        _read(120),
        [(3, A)],
        _without_image_references,
    ),
    _fault(
        "structure-without-contours",
        "qurit/rt-utils#67",
        "A structure without a contour sequence, which is optional, raises an error.",
        "Taken to be absent; said by a note.",
        _read(120, "empty_structure"),
        {"GTV": [(3, A)], "GTV 2": []},
    ),
    _fault(
        "structure-left-out-of-the-contours",
        "pyplati/platipy#143",
        "A program leaves an empty structure out of the contours: the others are taken by their place, one off.",
        "Contours belong to the number that they name; said by a note.",
        _read(120, "empty_structure"),
        {"GTV": [(3, A)], "GTV 2": []},
        _without_second_item,
    ),
    _fault(
        "one-number-for-two-structures",
        "qurit/rt-utils#137",
        "A structure is added under a number that another has: one takes the other's contours.",
        "Refused where their labels differ.",
        _refused("duplicate_roi_number"),
        {"GTV": [(3, A)], "BODY": [(3, B)]},
        _one_number,
    ),
    _fault(
        "one-name-for-two-structures",
        "SlicerRt/SlicerRT#110",
        "Of two structures of one name only one is seen.",
        "Both are of one label and are united; said by a note.",
        _read(120 + 12, "united_structures"),
        {"GTV": [(3, A)], "second": [(4, HOLE)]},
        _one_name,
    ),
    _fault(
        "structures-that-no-rule-names",
        "",
        "A structure whose name fits no rule vanishes without a word.",
        "Left out; said by a note with its name.",
        _read(120, "dropped_structure"),
        {"GTV": [(3, A)], "Node": [(4, HOLE)]},
    ),
    _fault(
        "outlines-of-another-frame-of-reference",
        "OHIF/Viewers#3537",
        "Outlines of another frame of reference are shown on the series.",
        "Refused.",
        _refused("outline_of_another_study"),
        [(3, A)],
        _another_frame,
    ),
    Fault(
        "outlines-of-another-series",
        "qurit/rt-utils#10",
        "Outlines are put on a series that they do not name.",
        "Refused where the series that they name is there too.",
        _two_series,
        _refused("outline_of_another_study"),
        None,
        ingest_section({"CT": {"kind": "ct", "modality": "CT", "series_description": "soft"}}),
    ),
    Fault(
        "two-structure-sets",
        "",
        "Of two structure sets with the wanted structure one is taken without a word.",
        "Refused: which is the final one can't be told.",
        _two_sets,
        _refused("ambiguous_outlines"),
        None,
    ),
    _fault(
        "structure-smaller-than-a-voxel",
        "Sikerdebaard/dcmrtstruct2nii#49",
        "The mask of a structure is empty, without an error.",
        "Refused: an empty mask would say that nothing is there.",
        _refused("outline_without_voxels"),
        [(3, [(5.1, 6.1), (5.1, 6.3), (5.3, 6.3)])],
    ),
    _fault(
        "fewer-points-than-announced",
        "",
        "A contour lost its end on the way: its number of points says so.",
        "Refused.",
        _refused("truncated_contour"),
        [(3, A)],
        _contour(0, NumberOfContourPoints=400),
    ),
    _fault(
        "numbers-that-are-no-points",
        "",
        "The numbers of a contour are no multiple of three.",
        "Refused.",
        _refused("degenerate_contour"),
        [(3, A), (4, A)],
        _contour(1, ContourData=[1.0] * 13),
    ),
    _fault(
        "name-in-another-form-of-unicode",
        "",
        "A structure's name is composed in one program and decomposed in the next: it is not found.",
        "Names are the same in every form of Unicode.",
        _read(120),
        {"La\u0308sion ": [(3, A)]},
        _utf8,
        outlines="L\u00e4sion",
    ),
    _fault(
        "name-in-full-width",
        "",
        "A structure is named in full-width letters.",
        "Names are the same in every form of Unicode.",
        _read(120),
        {"\uff27\uff34\uff36": [(3, A)]},
        _utf8,
    ),
)
