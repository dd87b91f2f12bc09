"""Identifiers planted in DICOM files, and the search for them in whatever a run wrote."""

import contextlib
import gzip
import re
import zipfile
import zlib
from pathlib import Path

import pandas as pd
import pydicom
from pydicom.datadict import DicomDictionary

#: Marks that stand in no other data by chance.
PLANTED = b"ZQXJ"
PLANTED_DATE, PLANTED_TIME, PLANTED_UID = "19230417", "031337.424242", "1.2.826.0.1.3680043.10.777"
#: Every attribute that holds text, a date, a time or a UID: all of PS3.15's table E.1-1 that can hold a name, and more.
TEXT = ("PN", "LO", "SH", "ST", "LT", "UT", "UC", "AE")
#: What decides how pixels are read: a strange value there is refused, not kept.
NEEDED = {"RescaleType", "ModalityLUTType", "PixelPaddingValue", "TransferSyntaxUID"}
#: Attributes whose values stand in tables on purpose; they identify nobody.
KEPT = {"Manufacturer", "PatientSex", "SOPClassUID", "SoftwareVersions"}
#: A UID (PS3.5, section 9).
DOTTED = re.compile(rb"[0-9]+(?:\.[0-9]+){3,}")
#: What phantoms' segmentations say of the program that wrote them; our own files name it too.
PROGRAMS = {b"highdicom", b"Segmentation"}
#: Shorter values are found everywhere by chance.
LEAST_CHARACTERS = 8


def plant_identifiers(folder: Path) -> None:
    """Give every file below a folder a marked value in each text, date, time and UID attribute that it lacks."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        data = pydicom.dcmread(path)
        for number, (tag, (vr, _, _, _, keyword)) in enumerate(sorted(DicomDictionary.items())):
            if keyword and keyword not in NEEDED and tag not in data and 0x0008_0000 <= tag < 0x7000_0000:
                value = _value(vr, number)
                if value is not None:
                    data.add_new(tag, vr, value)
        block = data.private_block(0x0099, "LESIONFLOW TESTS", create=True)
        block.add_new(0x01, "LO", PLANTED.decode() + "private")
        data.save_as(path)


def identifiers_of(folder: Path) -> set[bytes]:
    """Collect what names somebody or something in the files: every text, date, time and UID, but those kept on purpose."""
    found = set()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        data = pydicom.dcmread(path, stop_before_pixels=True)
        for element in data.iterall():
            if element.VR in (*TEXT, "UI", "TM") and element.keyword not in KEPT and "SOPClass" not in element.keyword:
                values = element.value if element.VM > 1 else [element.value]
                found |= {str(value).encode() for value in values if len(str(value)) >= LEAST_CHARACTERS}
    return {v for v in found - PROGRAMS if PLANTED not in v and not v.startswith(b"1.2.840.10008")}


def leaked(path: Path, secrets: set[bytes]) -> set[str]:
    """Return what of the planted marks and of these secrets stands in a file, however it is packed."""
    uids = {value for value in secrets if DOTTED.fullmatch(value)}
    words = {PLANTED, PLANTED_DATE.encode(), PLANTED_TIME.encode(), PLANTED_UID.encode(), *(secrets - uids)}
    wanted = re.compile(b"|".join(re.escape(value) for value in sorted(words, key=len, reverse=True)))
    found = set()
    for content in _unpacked(path):
        found |= {*wanted.findall(content), *uids.intersection(DOTTED.findall(content))}
    return {value.decode() for value in found}


def _value(vr: str, number: int) -> str | None:
    if vr in TEXT:
        return f"{PLANTED.decode()}{number:05d}"
    if vr == "UI":
        return f"{PLANTED_UID}.{number}"
    return {"DA": PLANTED_DATE, "DT": PLANTED_DATE, "TM": PLANTED_TIME}.get(vr)


def _unpacked(path: Path) -> list[bytes]:
    content = path.read_bytes()
    views = [content, path.name.encode()]
    if content[:2] == b"\x1f\x8b":
        views.append(gzip.decompress(content))
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            views += [archive.read(name) for name in archive.namelist()] + [n.encode() for n in archive.namelist()]
    if content[:4] == b"PAR1":
        table = pd.read_parquet(path)
        views.append(table.to_csv().encode() + str(table.attrs).encode())
    if content[:1] == b"\x78" and len(content) > 2:
        with contextlib.suppress(zlib.error):
            views.append(zlib.decompress(content))
    return views
