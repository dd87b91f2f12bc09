"""Ten thousand broken files, made from real ones by a fixed seed: each must be read, or refused by one of our own errors.

`python -m benchmarks fuzz`, or `python -m benchmarks.fuzz FIRST LAST` for some of them.
"""

import gzip
import itertools
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import FrameType

from benchmarks.timing import peak_mb
from lesionflow.data.geometry import Geometry
from lesionflow.errors import InputError
from lesionflow.io.dicom import studies as dicom
from lesionflow.io.dicom.reading import read_dicom_file
from lesionflow.io.dicom.rtstruct import read_structures, referenced_series
from lesionflow.io.dicom.seg import read_segments
from lesionflow.io.dicom.series import read_series
from lesionflow.io.dicom.sorting import scan
from lesionflow.io.images import image_files
from lesionflow.io.rules import ReadingRules, SeriesRule, SourceStudy

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
COUNT, SEED = 10_000, 20240229
#: More processor time than this is a hang; by the clock, a busy machine would hang too.
LIMIT_S = 5.0
RULES = ReadingRules({"CT": SeriesRule("CT")}, "CT", {"tumor": 1}, ((".*", "tumor"),))
#: Values that readers trip over.
NASTY = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


class HangError(Exception):
    """A reader took longer than `LIMIT_S`."""


@dataclass(frozen=True)
class Seed:
    """A real file and how it is read: the reader takes the path of a mutated copy."""

    name: str
    content: bytes
    ending: str
    read: Callable[[Path], object]


def seeds() -> list[Seed]:
    """Return real files of each kind."""
    samples, segmentations = DATA / "dicom" / "cornerstone" / "examples" / "test-images", DATA / "dicom" / "dcmqi"
    sts, images = DATA / "sts" / "dicom" / "STS_002", sorted((segmentations / "data/segmentations/ct-3slice").iterdir())
    ct = read_series(tuple(map(str, images)), name="liver")
    sarcoma = read_series(tuple(map(str, sorted((sts / "CT" / "image").iterdir()))), name="sarcoma")
    found = [(path, _read_image) for path in sorted(samples.glob("CTImage.dcm*"))]
    found += [(next(iter(sorted((sts / kind / "image").iterdir()))), _read_image) for kind in ("CT", "PET")]
    found += [(path, _read_image) for path in sorted(segmentations.glob("data/segmentations/*/multiframe/mf.dcm"))]
    found += 8 * [
        (min((sts / "CT" / "mask").iterdir()), _structures(sarcoma.volume.geometry, sarcoma.frame_of_reference))
    ]
    segments = _segments(ct.volume.geometry, ct.frame_of_reference)
    found += 4 * [(segmentations / "data" / "segmentations" / "liver.dcm", segments)]
    found += [(p, segments) for p in sorted((DATA / "dicom/highdicom/data/test_files").glob("seg_image_ct*.dcm"))]
    found += [(p, _read_volume) for p in 3 * sorted((DATA / "dicom/ibsi_digital_phantom/nifti").rglob("*.nii.gz"))]
    nuclei = min((DATA / "dsb2018" / "stage1_train").iterdir())
    found += [
        (p, _read_picture) for p in 4 * [*sorted((nuclei / "images").iterdir()), min((nuclei / "masks").iterdir())]
    ]
    found += 4 * [(segmentations / "data" / "segmentations" / "liver_seg.nrrd", _read_volume)]
    found += 2 * [(min((DATA / "kits19_2d_jpg" / part).iterdir()), _read_picture) for part in ("images", "masks")]
    return [Seed(path.name, path.read_bytes(), image_files.ending(path) or ".dcm", read) for path, read in found]


def mutate(content: bytes, other: bytes, random: Random) -> bytes:
    """Harm a file in one to three ways."""
    packed = content[:2] == b"\x1f\x8b" and random.random() < 0.7
    harmed = bytearray(gzip.decompress(content) if packed else content)
    for _ in range(random.randint(1, 3)):
        random.choice((_flip, _flip_head, _cut, _drop, _repeat, _zero, _nasty, _digits, _splice))(harmed, other, random)
    if harmed[:8] == b"\x89PNG\r\n\x1a\n" and random.random() < 0.7:
        _mend_checksums(harmed)
    return gzip.compress(bytes(harmed), 1, mtime=0) if packed else bytes(harmed)


def read_all(first: int, last: int) -> Iterator[tuple[int, str, str, float]]:
    """Make and read mutants.

    Args:
        first: Number of the first mutant; its number alone decides what it is.
        last: Number after the last.

    Yields:
        Number, name of the real file, outcome (`read`, a reason code, or `UNNAMED <error>`), and seconds of processor time.
    """
    known = seeds()
    before = signal.signal(signal.SIGPROF, _hang)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, last):
            random = Random(SEED * 1_000_003 + number)
            seed, other = known[number % len(known)], random.choice(known)
            path = Path(folder) / f"mutant{seed.ending}"
            path.write_bytes(mutate(seed.content, other.content, random))
            began = time.process_time()
            yield number, seed.name, _outcome(seed, path), time.process_time() - began
    signal.signal(signal.SIGPROF, before)


def run(first: int = 0, last: int = COUNT) -> None:
    """Print what came of the mutants."""
    if not DATA.is_dir():
        print("\nFuzz: skipped, no real data at ../shared/data")
        return
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    for number, name, outcome, seconds in read_all(first, last):
        outcomes[outcome.split("\n")[0]] += 1
        slowest = max(slowest, seconds)
        if outcome.startswith("UNNAMED"):
            print(f"{number} {name}: {outcome}")
    unnamed = sum(n for outcome, n in outcomes.items() if outcome.startswith("UNNAMED"))
    print(
        f"\n{last - first} mutated files: {unnamed} unnamed errors, slowest {slowest:.2f} s, peak memory {peak_mb():.0f} MB"
    )
    for outcome, n in outcomes.most_common():
        print(f"  {n:6d} {outcome}")


def _outcome(seed: Seed, path: Path) -> str:
    signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
    try:
        with warnings.catch_warnings():
            # A warning is a fault that a library saw and that nobody refused.
            warnings.simplefilter("error")
            seed.read(path)
    except InputError as error:
        return error.reason
    except BaseException as error:  # noqa: BLE001 whatever it is, it is what we look for
        return f"UNNAMED {type(error).__name__}: {error!s:.150}\n{''.join(traceback.format_exception(error)[-6:])}"
    else:
        return "read"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _hang(_: int, __: FrameType | None) -> None:
    raise HangError


def _read_image(path: Path) -> None:
    scan([path])
    try:
        dicom.read_study(SourceStudy("k", "p", (str(path),)), RULES, name="c-1", outlines=False)
    except InputError:
        read_series((str(path),), name="c-1")


def _structures(grid: Geometry, frame: str) -> Callable[[Path], object]:
    def read(path: Path) -> None:
        scan([path])
        data = read_dicom_file(str(path), name="c-1")
        referenced_series(data)
        read_structures(data, grid, frame, RULES, name="c-1")

    return read


def _segments(grid: Geometry, frame: str) -> Callable[[Path], object]:
    def read(path: Path) -> None:
        scan([path])
        read_segments(read_dicom_file(str(path), name="c-1"), grid, frame, RULES, name="c-1")

    return read


def _read_volume(path: Path) -> None:
    image_files.read_channels(path, name="c-1")
    image_files.read_mask(path, (1,), name="c-1")


def _read_picture(path: Path) -> None:
    image_files.read_channels(path, name="c-1")
    image_files.read_mask(path, (1,), name="c-1")


def _flip(content: bytearray, _: bytes, random: Random) -> None:
    for _unused in range(random.randint(1, 40)):
        if content:
            content[random.randrange(len(content))] ^= 1 << random.randrange(8)


def _flip_head(content: bytearray, _: bytes, random: Random) -> None:
    for _unused in range(random.randint(1, 12)):
        if content:
            content[random.randrange(min(len(content), 1500))] = random.randrange(256)


def _span(content: bytearray, random: Random) -> slice:
    start = random.randrange(len(content) + 1)
    return slice(start, min(len(content), start + random.randint(1, 200)))


def _cut(content: bytearray, _: bytes, random: Random) -> None:
    del content[random.randrange(len(content) + 1) :]


def _drop(content: bytearray, _: bytes, random: Random) -> None:
    del content[_span(content, random)]


def _repeat(content: bytearray, _: bytes, random: Random) -> None:
    span = _span(content, random)
    content[span.stop : span.stop] = content[span] * random.randint(1, 20)


def _zero(content: bytearray, _: bytes, random: Random) -> None:
    span = _span(content, random)
    content[span] = bytes(span.stop - span.start)


def _nasty(content: bytearray, _: bytes, random: Random) -> None:
    if len(content) > 8:
        form = random.choice(("<H", ">H", "<I", ">I"))
        limit = len(content) if random.random() < 0.3 else min(len(content), 3000)
        value = random.choice(NASTY) & (0xFFFF if form[1] == "H" else 0xFFFFFFFF)
        struct.pack_into(form, content, random.randrange(limit - 4), value)


def _digits(content: bytearray, _: bytes, random: Random) -> None:
    places = [n for n, byte in enumerate(itertools.islice(content, 20_000)) if chr(byte).isdigit()]
    for place in random.sample(places, min(len(places), random.randint(1, 6))):
        content[place] = random.choice(b"0123456789-.eE\\ ")


def _splice(content: bytearray, other: bytes, random: Random) -> None:
    start = random.randrange(max(1, len(other)))
    content[_span(content, random)] = other[start : start + random.randint(1, 300)]


def _mend_checksums(content: bytearray) -> None:
    """Give every PNG chunk the checksum of what it holds now, so that readers look further."""
    at = 8
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        if at + 12 + length > len(content):
            return
        struct.pack_into(">I", content, at + 8 + length, zlib.crc32(content[at + 4 : at + 8 + length]))
        at += 12 + length


if __name__ == "__main__":
    run(*map(int, sys.argv[1:3]))
