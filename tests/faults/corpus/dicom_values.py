"""Values in DICOM: rescaling, SUV, character sets, representations."""

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from faults.corpus.fault import CT, MR, PET, Fault, Right, Sent, ingest_section
from support.dicom_factory import SHAPE, put_raw, write_multiframe, write_rtstruct, write_series

CORNERS = [(0.5, 1.5), (0.5, 6.5), (4.5, 6.5), (4.5, 1.5)]
#: What the brightest voxel of each slice holds as stored, the rest holds less; none is alike.
BRIGHTEST = (500, 700, 1000, 900, 600)
STORED = np.array([np.minimum(np.arange(77).reshape(SHAPE[1:]) * 7, b - 20) for b in BRIGHTEST])
STORED[:, 3, 4] = BRIGHTEST
STORED = STORED.astype(np.int16)
#: SUV of one Bq/ml: 70 kg over 370 MBq of fluorine-18 (6588 s) one hour before the scan.
PER_BQML = 70_000 / (370e6 * 2 ** (-3600 / 6588))
ORDER = (3, 0, 4, 1, 2)

Change = Callable[[Dataset, int], None]


def series(folder: Path, modality: str, *changes: Change) -> None:
    """Write five slices of `STORED`, and an outline of 20 voxels."""

    def change(data: Dataset, k: int) -> None:
        for one in changes:
            one(data, k)

    written = write_series(folder / modality, modality=modality, stored=STORED, change=change)
    write_rtstruct(folder / "rs.dcm", written, {"GTV": [(1, CORNERS)]})


def setting(slices: Sequence[int] = range(5), **values: Any) -> Change:
    """Return a change that sets attributes of some slices; None takes one out, a function is told the slice's number."""

    def change(data: Dataset, k: int) -> None:
        for keyword, value in values.items() if k in slices else ():
            told = value(k) if callable(value) else value
            if told is None:
                del data[keyword]
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pydicom warns of each fault that is written on purpose
                setattr(data, keyword, told)

    return change


def injected(slices: Sequence[int] = range(5), **values: Any) -> Change:
    """Return a change of the injection."""

    def change(data: Dataset, k: int) -> None:
        if k in slices:
            setting(**values)(data.RadiopharmaceuticalInformationSequence[0], k)

    return change


def philips(*elements: tuple[int, str], creator: str = "Philips PET Private Group") -> Change:
    """Return a change to counts with a maker's private factors."""

    def change(data: Dataset, k: int) -> None:
        data.Units = "CNTS"
        data.add_new(0x70530010, "LO", creator)
        for element, value in elements:
            data.add_new(0x70530000 + element, "DS", value)

    return change


def twice_injected(data: Dataset, k: int) -> None:
    """Add a second injection, an hour earlier."""
    one = data.RadiopharmaceuticalInformationSequence[0]
    other = copy.deepcopy(one)
    other.RadiopharmaceuticalStartTime = "081500"
    data.RadiopharmaceuticalInformationSequence = [one, other]


def mapped(slope: float, code: str) -> Dataset:
    """Return a real-world value mapping."""
    unit, mapping = Dataset(), Dataset()
    unit.CodeValue, unit.CodingSchemeDesignator = code, "UCUM"
    mapping.MeasurementUnitsCodeSequence = [unit]
    mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = slope, 0.0
    return mapping


def enhanced(folder: Path, modality: str, mappings: Callable[[int], list[Dataset]], *, rescale: str = "") -> None:
    """Write an enhanced image with these mappings by slice; without a rescale when none is told."""

    def change(data: Dataset) -> None:
        data.PixelData = STORED[list(ORDER)].astype("<i2").tobytes()
        for k, group in zip(ORDER, data.PerFrameFunctionalGroupsSequence, strict=True):
            group.RealWorldValueMappingSequence = mappings(k)
            if rescale:
                transform = group.PixelValueTransformationSequence[0]
                transform.RescaleSlope, transform.RescaleIntercept, transform.RescaleType = rescale, "0", "US"
            else:
                del group.PixelValueTransformationSequence
        if modality == "PT":
            data.DecayCorrected = data.AttenuationCorrected = "YES"
            data.DecayCorrectionDateTime, data.PatientWeight = "20240229101500", "70"
            drug = Dataset()
            drug.RadiopharmaceuticalStartDateTime = "20240229091500"
            drug.RadionuclideTotalDose, drug.RadionuclideHalfLife = "370000000", "6588"
            data.RadiopharmaceuticalInformationSequence = [drug]

    written = write_multiframe(folder / "image.dcm", modality=modality, order=ORDER, change=change)
    write_rtstruct(folder / "rs.dcm", written, {"GTV": [(1, CORNERS)]})


def lookup_table(data: Dataset, k: int) -> None:
    """Take the rescale out for a table of HU: 9000 for 0, less 3 for each more."""
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType = [3000, 0, 16], "HU"
    table.LUTData = (9000 - 3 * np.arange(3000)).astype("<u2").tobytes()
    del data.RescaleSlope, data.RescaleIntercept
    data.ModalityLUTSequence = [table]


def stored(pixels: Callable[[np.ndarray], np.ndarray], *, bits: int = 16, signed: bool = True, **values: Any) -> Change:
    """Return a change to pixels of so many bits, in HU less 1024."""

    def change(data: Dataset, k: int) -> None:
        data.BitsStored, data.HighBit, data.PixelRepresentation = bits, bits - 1, int(signed)
        data.RescaleSlope, data.RescaleIntercept = "1", "-1024"
        data.PixelData = (pixels(STORED[k].astype(int)) & 0xFFFF).astype("<u2").tobytes()
        setting(**values)(data, k)

    return change


def stored_zeros(data: Dataset, _: int) -> None:
    """Write zeros for all pixels."""
    data.PixelData = bytes(len(data.PixelData))


def overlaid(data: Dataset, k: int) -> None:
    """Write an overlay above the 12 bits of each odd value."""
    stored(lambda v: v | (v % 2) << 12, bits=12, signed=False)(data, k)
    data.add_new(0x60000100, "US", 16)
    data.add_new(0x60000102, "US", 12)


def padding(value: int) -> Change:
    """Return a change that marks the first row of each slice as padding by a bright number."""

    def mark(pixels: np.ndarray) -> np.ndarray:
        pixels[0] = value
        return pixels

    def change(data: Dataset, k: int) -> None:
        stored(mark, signed=False)(data, k)
        data.add_new(0x00280120, "US", value)

    return change


def raw_in_all(keyword: str, vr: bytes, content: bytes, first: str) -> Callable[[Path], None]:
    """Return what writes a CT whose every slice has these bytes in an element, as no library would write them."""

    def make(folder: Path) -> None:
        series(folder, "CT", setting(**{keyword: first}))
        for path in sorted((folder / "CT").iterdir()):
            put_raw(path, tag_for_keyword(keyword), vr, content)

    return make


def of_pet(
    name: str, source: str, met: str, answer: str, *changes: Change, maximum: float = 0.0, **others: Any
) -> Fault:
    """A PET by itself: read with this largest SUV, or refused."""
    refused, notes = others.pop("refused", ()), others.pop("notes", ())
    return _of("PT", PET, name, source, met, answer, changes, maximum, refused, notes)


def of_ct(
    name: str, source: str, met: str, answer: str, *changes: Change, maximum: float = 0.0, **others: Any
) -> Fault:
    """A CT by itself: read with this largest HU, or refused."""
    refused, notes = others.pop("refused", ()), others.pop("notes", ())
    return _of("CT", CT, name, source, met, answer, changes, maximum, refused, notes)


def of_mr(
    name: str, source: str, met: str, answer: str, *changes: Change, maximum: float = 0.0, **others: Any
) -> Fault:
    """An MR by itself: read with this largest value, or refused."""
    refused, notes = others.pop("refused", ()), others.pop("notes", ())
    return _of("MR", MR, name, source, met, answer, changes, maximum, refused, notes)


def _of(
    modality: str,
    channels: Mapping[str, Any],
    name: str,
    source: str,
    met: str,
    answer: str,
    changes: Sequence[Change],
    maximum: float,
    refused: tuple[str, ...],
    notes: tuple[str, ...],
) -> Fault:
    return made(
        lambda folder: series(folder, modality, *changes), channels, name, source, met, answer, maximum, refused, notes
    )


def made(
    make: Callable[[Path], None],
    channels: Mapping[str, Any],
    name: str,
    source: str,
    met: str,
    answer: str,
    maximum: float = 0.0,
    refused: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
    formats: tuple[str, ...] = (),
) -> Fault:
    """A study by what writes it."""
    if refused:
        right, sent = Right(refused=refused), Sent("", refused=refused)
    else:
        right = Right(voxels={"tumor": 20}, maximum=(maximum,), n_cases=1, rejected=(), notes=notes)
        sent = Sent("", shape=SHAPE, maximum=maximum, formats=formats)
    return Fault(name, source, met, answer, make, right, sent, ingest_section(channels))


#: A rescale slope of 2, and the brightest voxel of all.
BQML = 2.0 * 1000
SUV = BQML * PER_BQML
HU = 2.0 * 1000 - 1000

SLOPES = (0.000152592548, 9.155552842799158e-05, 0.00030518509, 4.577776421399579e-05, 0.000610370189)

FAULTS = (
    made(
        lambda f: enhanced(f, "PT", lambda k: [mapped(SLOPES[k], "{SUVbw}g/ml")]),
        PET,
        "enhanced-pet-slopes-with-exponents",
        "rordenlab/dcm2niix#978",
        "Slopes of PET slices below 1e-4, each its own, lost their digits or their exponent.",
        "Read with the slope of each frame, as a number.",
        600 * 0.000610370189,
    ),
    made(
        lambda f: enhanced(f, "PT", lambda k: [mapped(2.0, "{counts}"), mapped(2.0, "Bq/ml")]),
        PET,
        "enhanced-pet-of-several-units",
        "medical-physics-usz/z-rad#285",
        "An enhanced PET tells its numbers in several units; the first was taken for all.",
        "Read by the unit that gives SUV, wherever it stands.",
        SUV,
    ),
    made(
        lambda f: enhanced(f, "PT", lambda k: [mapped(2.0, "Bq/ml" if k else "{SUVbw}g/ml")]),
        PET,
        "enhanced-pet-one-frame-of-another-unit",
        "",
        "Units were taken from the first slice alone.",
        "Refused when frames differ.",
        refused=("mixed_pet_units",),
    ),
    made(
        lambda f: enhanced(f, "MR", lambda k: [mapped(0.25 + k, "ms")]),
        MR,
        "enhanced-mr-real-world-values-alone",
        "rordenlab/dcm2niix#189",
        "Philips' enhanced MR has real-world values of each frame and no other scaling: frames came out unscaled.",
        "Read by the real-world values, and said.",
        900 * 3.25,
        notes=("real_world_values",),
    ),
    made(
        lambda f: enhanced(f, "MR", lambda k: [mapped(0.25 + k, "ms")], rescale="2"),
        MR,
        "enhanced-mr-rescale-beside-real-world-values",
        "rordenlab/dcm2niix#493",
        "A rescale and real-world values side by side: tools applied the one, the other, or both.",
        "Read by the rescale, as for images of one frame; both map what is stored, so never one after the other.",
        2000.0,
    ),
    of_mr(
        "mr-slope-of-each-slice",
        "rordenlab/dcm2niix#363",
        "Slopes and intercepts that differ between slices were taken from the first.",
        "Read with those of each slice.",
        setting(RescaleSlope=lambda k: str(1 + k), RescaleIntercept=lambda k: str(-10 * k)),
        maximum=900 * 4 - 30,
    ),
    of_mr(
        "mr-rescale-on-some-slices",
        "PTB-MR/mrpro#933",
        "Some slices are rescaled and some are not.",
        "Refused: they are not of one kind.",
        setting(RescaleSlope="2"),
        setting([3], RescaleSlope=None),
        refused=("mixed_units",),
    ),
    of_pet(
        "pet-slope-of-each-slice",
        "innolitics/dicom-numpy#1",
        "GE's PET has a slope a slice; tools took the first for all.",
        "Read with the slope of each slice.",
        setting(RescaleSlope=lambda k: ("2", "0.5", "1", "4", "3")[k]),
        maximum=900 * 4 * PER_BQML,
    ),
    of_pet(
        "pet-injection-in-utc",
        "",
        "The injection is told in UTC and the scan in the scanner's zone: the difference of two clocks became decay, SUV x 2.1.",
        "Both are brought to one clock.",
        setting(TimezoneOffsetFromUTC="+0200"),
        injected(RadiopharmaceuticalStartTime=None, RadiopharmaceuticalStartDateTime="20240229071500.00+0000"),
        maximum=SUV,
    ),
    of_pet(
        "pet-injection-in-utc-scanner-unknown",
        "",
        "The injection is told in UTC, and nothing says the scanner's zone.",
        "Refused: no scanner need be set to UTC.",
        injected(RadiopharmaceuticalStartTime=None, RadiopharmaceuticalStartDateTime="20240229071500.00+0000"),
        refused=("missing_suv_factors",),
    ),
    of_pet(
        "pet-injection-told-twice-not-alike",
        "",
        "Time and date-time of the injection are an hour apart.",
        "Refused: one of them is wrong.",
        injected(RadiopharmaceuticalStartTime="081500", RadiopharmaceuticalStartDateTime="20240229091500"),
        refused=("missing_suv_factors",),
    ),
    of_pet(
        "pet-over-midnight",
        "medical-physics-usz/z-rad#282",
        "Injected before midnight and scanned after it: the wait came out negative, or as 23 hours.",
        "Read: half an hour.",
        setting(SeriesTime="001500", AcquisitionTime="001530"),
        injected(RadiopharmaceuticalStartTime="234500"),
        maximum=BQML * 70_000 / (370e6 * 2 ** (-1800 / 6588)),
    ),
    of_pet(
        "pet-days-after-the-injection",
        "QIICR/Slicer-PETDICOMExtension#28",
        "Yttrium-90 and zirconium-89 are scanned days after; dates were passed over.",
        "Read with the date: five days of zirconium-89.",
        injected(
            RadiopharmaceuticalStartTime=None,
            RadiopharmaceuticalStartDateTime="20240224101500",
            RadionuclideHalfLife="282280",
            RadionuclideTotalDose="37000000",
        ),
        maximum=BQML * 70_000 / (37e6 * 2 ** (-5 * 86_400 / 282_280)),
    ),
    of_pet(
        "pet-long-lived-without-a-date",
        "QIICR/Slicer-PETDICOMExtension#28",
        "Of a nuclide that outlasts a day only the time of day is told.",
        "Refused: the days are unknown.",
        injected(RadionuclideHalfLife="282280", RadionuclideTotalDose="37000000"),
        refused=("missing_suv_factors",),
    ),
    of_pet(
        "pet-date-time-alone",
        "QIICR/Slicer-PETDICOMExtension#20",
        "Only RadiopharmaceuticalStartDateTime is there, and the tool asked for the older time.",
        "Read.",
        injected(RadiopharmaceuticalStartTime=None, RadiopharmaceuticalStartDateTime="20240229091500"),
        maximum=SUV,
    ),
    of_pet(
        "pet-dates-shifted-one-by-one",
        "",
        "De-identification moved the date of the injection to after the scan.",
        "Read by the times of day, and said.",
        injected(RadiopharmaceuticalStartDateTime="20240301091500"),
        maximum=SUV,
        notes=("injection_date_after_scan",),
    ),
    of_pet(
        "pet-corrected-to-the-injection",
        "horosproject/horos#653",
        "Voxels were decay corrected to the injection (ADMIN) and the dose was decayed once more.",
        "Read: nothing decays.",
        setting(DecayCorrection="ADMIN"),
        maximum=BQML * 70_000 / 370e6,
    ),
    of_pet(
        "pet-not-decay-corrected",
        "",
        "Voxels were not corrected for decay at all.",
        "Refused.",
        setting(DecayCorrection="NONE", CorrectedImage=["ATTN"]),
        refused=("missing_suv_factors",),
    ),
    of_pet(
        "pet-series-time-of-a-later-rework",
        "OHIF/Viewers#3805",
        "The series' time is that of a later reconstruction.",
        "Read from the first acquisition.",
        setting(SeriesTime="180000", AcquisitionTime="101500"),
        maximum=SUV,
    ),
    of_pet(
        "pet-series-time-before-the-injection",
        "OHIF/Viewers#3805",
        "The series was created at the console before the injection.",
        "Read from the first acquisition, and said.",
        setting(SeriesTime="083000", AcquisitionTime="101500"),
        maximum=SUV,
        notes=("series_before_injection",),
    ),
    of_pet(
        "pet-dose-in-mbq",
        "",
        "The dose was typed in MBq where Bq are meant.",
        "Refused: no patient gets 370 Bq.",
        injected(RadionuclideTotalDose="370"),
        refused=("implausible_dose",),
    ),
    of_pet(
        "pet-weight-in-grams",
        "",
        "The weight was typed in grams.",
        "Refused.",
        setting(PatientWeight="70000"),
        refused=("implausible_weight",),
    ),
    of_pet(
        "pet-weight-zero",
        "",
        "The weight is 0 after de-identification: SUV 0 everywhere.",
        "Refused.",
        setting(PatientWeight="0"),
        refused=("missing_suv_factors",),
    ),
    of_pet(
        "pet-half-life-in-hours",
        "",
        "The half-life was typed in hours.",
        "Refused.",
        injected(RadionuclideHalfLife="1.83"),
        refused=("implausible_half_life",),
    ),
    of_pet(
        "pet-two-injections",
        "",
        "Two injections of different times stand in the header.",
        "Refused: which part of the voxels came from which can't be known.",
        twice_injected,
        refused=("missing_suv_factors",),
    ),
    of_pet(
        "pet-units-of-one-slice",
        "",
        "Units were taken from the first slice alone.",
        "Refused when slices differ.",
        setting([2], Units="GML"),
        refused=("mixed_pet_units",),
    ),
    of_pet(
        "pet-weight-of-one-slice",
        "",
        "Slices of two exports with two weights lie in one series.",
        "Refused.",
        setting([2], PatientWeight="80"),
        refused=("mixed_suv_factors",),
    ),
    of_pet(
        "pet-counts-with-a-factor-of-another-maker",
        "",
        "The number of a private element was taken for Philips' factor, though another maker had reserved the block.",
        "Refused: counts without a factor.",
        philips((0x1000, "0.004"), creator="SOMEBODY ELSE"),
        refused=("unsupported_pet_units",),
    ),
    of_pet(
        "pet-kilobecquerels-said-to-be-becquerels",
        "",
        "Voxels of kBq/ml under the unit Bq/ml: SUV a thousandth of what it is.",
        "Refused: no scan's noise is that faint.",
        setting(RescaleSlope="0.002"),
        refused=("implausible_suv",),
    ),
    of_pet(
        "pet-of-zeros",
        "",
        "Every voxel is zero.",
        "Refused: there is nothing to see.",
        stored_zeros,
        refused=("implausible_suv",),
    ),
    of_pet(
        "pet-philips-suv-factor",
        "OHIF/Viewers#1418",
        "Philips' PET holds counts, and its private factor was not applied.",
        "Read by the private factor of SUV.",
        philips((0x1000, "0.0005")),
        maximum=BQML * 0.0005,
    ),
    of_pet(
        "pet-philips-bqml-factor",
        "OHIF#1418",
        "Philips' factor of SUV is 0 and only that of Bq/ml is filled in.",
        "Read by the factor of Bq/ml, dose, weight and times.",
        philips((0x1000, "0"), (0x1009, "1.5")),
        maximum=SUV * 1.5,
    ),
    of_pet(
        "pet-counts-without-a-factor",
        "ENHANCE-PET/MOOSE#230",
        "De-identification removed the private factors of counts.",
        "Refused.",
        setting(Units="CNTS"),
        refused=("unsupported_pet_units",),
    ),
    of_pet(
        "pet-proportional-counts",
        "OHIF/Viewers#3439",
        "Proportional counts were shown as SUV.",
        "Refused.",
        setting(Units="PROPCNTS"),
        refused=("unsupported_pet_units",),
    ),
    of_pet(
        "pet-suv-by-lean-body-mass",
        "",
        "SUV by lean body mass was taken for SUV by body weight.",
        "Refused.",
        setting(Units="GML", SUVType="LBM"),
        refused=("unsupported_pet_units",),
    ),
    of_pet(
        "pet-suv-as-it-is",
        "medical-physics-usz/z-rad#140",
        "A PET in SUV was scaled once more.",
        "Read as it is.",
        setting(Units="GML", RescaleSlope="0.01"),
        maximum=10.0,
    ),
    of_pet(
        "pet-more-than-was-injected",
        "",
        "A slope of another scale makes SUV of ten thousands.",
        "Refused: the image would hold more than was injected.",
        setting(Units="GML", RescaleSlope="30"),
        refused=("implausible_suv",),
    ),
    of_ct(
        "ct-of-another-quantity",
        "",
        "A dual-energy map of iodine (or electron density, or effective Z) has modality CT.",
        "Refused by its rescale type.",
        setting(RescaleType="MGML"),
        refused=("unsupported_ct_units",),
    ),
    of_ct(
        "ct-one-slice-of-optical-density",
        "",
        "The rescale type of one slice differs.",
        "Refused: all slices are looked at.",
        setting([4], RescaleType="OD"),
        refused=("unsupported_ct_units",),
    ),
    of_ct(
        "ct-of-attenuation",
        "",
        "A CT rescaled to attenuation per cm was normalized as HU.",
        "Refused: no HU image lies between 0 and 10.",
        setting(RescaleSlope="0.0001", RescaleIntercept="0", RescaleType="US"),
        refused=("implausible_hu",),
    ),
    of_ct(
        "ct-lookup-table",
        "",
        "HU stand in a lookup table in place of a rescale.",
        "Read by the table.",
        lookup_table,
        maximum=9000.0,
    ),
    of_ct(
        "ct-monochrome1",
        "",
        "MONOCHROME1 inverted the values.",
        "Read as stored: it says how to show them.",
        setting(PhotometricInterpretation="MONOCHROME1"),
        maximum=HU,
    ),
    of_ct(
        "ct-padding-brighter-than-bone",
        "dgobbi/vtk-dicom#173",
        "Pixels outside the reconstruction hold a padding value, here 65535: they became the brightest voxels.",
        "Read, padding set to air, and said.",
        padding(65_535),
        maximum=1000.0 - 1024,
        notes=("padding_made_air",),
    ),
    of_ct(
        "ct-overlay-in-the-high-bits",
        "fo-dicom/fo-dicom#138",
        "An overlay in the bits above the stored ones became part of the values.",
        "Read without it.",
        overlaid,
        maximum=1000.0 - 1024,
    ),
    of_ct(
        "ct-twelve-signed-bits",
        "icometrix/dicom2nifti#13",
        "Signed numbers of 12 bits in 16 overflowed.",
        "Read with the sign of the twelfth bit.",
        stored(lambda v: (v - 600) & 0xFFF, bits=12),
        maximum=1000.0 - 600 - 1024,
    ),
    of_ct(
        "ct-numbers-beyond-the-stored-bits",
        "",
        "Values need more bits than the header says are stored, and were cut.",
        "Refused.",
        stored(lambda v: v + 4000, bits=12, signed=False),
        refused=("contradicting_bits",),
    ),
    of_ct(
        "ct-high-bit-fifteen",
        "fo-dicom/fo-dicom#138",
        "Twelve bits are stored and the high bit is 15: the values lie four bits up, or the header is wrong.",
        "Refused.",
        stored(lambda v: v, bits=12, signed=False, HighBit=15),
        refused=("contradicting_bits",),
    ),
    of_ct(
        "ct-signed-read-as-unsigned",
        "scifio/scifio#307",
        "Negative numbers were marked as unsigned and came out near 64,000 HU.",
        "Refused.",
        stored(lambda v: v - 500, signed=False),
        refused=("implausible_hu",),
    ),
    made(
        raw_in_all("SpecificCharacterSet", b"CS", b"ISO 2022 IR 87", "ISO_IR 100"),
        CT,
        "a-lone-code-extension",
        "",
        "The character set is ISO 2022 IR 87 alone, without the one that it extends.",
        "Read; a segmentation is written in UTF-8.",
        HU,
        formats=("dicom-seg",),
    ),
    made(
        raw_in_all("SpecificCharacterSet", b"CS", b"ISO_2022_IR_6", "ISO_IR 100"),
        CT,
        "a-misspelt-character-set",
        "pydicom/pydicom#736",
        "The name of the character set is misspelt: LookupError.",
        "Read.",
        HU,
        formats=("dicom-seg",),
    ),
    made(
        raw_in_all("SpecificCharacterSet", b"CS", b"KLINGON", "ISO_IR 100"),
        CT,
        "an-unknown-character-set",
        "pydicom/pydicom#850",
        "Nobody knows the character set.",
        "Read.",
        HU,
        formats=("dicom-seg",),
    ),
    made(
        raw_in_all("PatientName", b"PN", "Müller^Jörg".encode("latin-1"), "Doe^Jane"),
        CT,
        "bytes-of-another-character-set",
        "",
        "A name has bytes that its character set does not have.",
        "Read; the name is repeated as far as it can be.",
        HU,
        formats=("dicom-seg",),
    ),
    made(
        raw_in_all("PatientAge", b"ZZ", b"044Y", "044Y"),
        CT,
        "an-element-of-unknown-type",
        "pydicom/pydicom#1706",
        "An element's type is none: the file is read and can't be written again.",
        "Read; a segmentation leaves the element out.",
        HU,
        formats=("dicom-seg",),
    ),
    made(
        lambda f: series(
            f,
            "CT",
            setting(PatientBirthDate="19701332", StudyDate="20240231", PatientSex="FEMALE", AccessionNumber="9" * 20),
        ),
        CT,
        "values-that-their-types-forbid",
        "dcmqi#348",
        "Dates that are none, a sex spelt out, an accession number of 20 digits: no segmentation could be made.",
        "Read; a segmentation says that they are not known, or cuts them.",
        HU,
        formats=("dicom-seg",),
    ),
    made(
        lambda f: series(f, "CT", setting(SliceThickness="")),
        CT,
        "no-slice-thickness",
        "wasserth/TotalSegmentator#567",
        "The slice thickness is empty after de-identification: writing the segmentation failed.",
        "Read; the segmentation says the slice distance.",
        HU,
        formats=("dicom-seg",),
    ),
)
