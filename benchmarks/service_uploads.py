"""Broken files sent to the service by HTTP: each must be segmented, or refused by name with 4xx, soon, and no process may die of one.

`python -m benchmarks service_uploads`, or `python -m benchmarks.service_uploads FIRST LAST` for some of each format.
"""

import io
import sys
import tempfile
import time
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

import httpx
import numpy as np
import pydicom
import SimpleITK as sitk
from PIL import Image

from benchmarks.fuzz import SEED, mutate
from benchmarks.running_service import Running, running, write_model
from lesionflow.phantoms import write_phantoms

COUNT, CLIENTS = 10_000, 3
#: Seconds that an answer to a broken file may take.
LIMIT_S = 2.0
PICTURES = {
    "dataset": {"name": "pictures", "channels": {"gray": "picture"}, "labels": {"tumor": 1}, "regions": {}},
    "channels": [{"name": "gray", "kind": "picture", "lower": 0.0, "upper": 255.0, "mean": 100.0, "std": 50.0}],
    "spacing_mm": (None, None, None), "context_slices": 1, "patch_size": (1, 96, 96),
}  # fmt: skip


class Sound(NamedTuple):
    """A file that the service reads.

    Args:
        part: What its part is called.
        name: The file.
        content: Its bytes.
        others: Further files of its study, which stay whole: then all are sent as one zip.
    """

    part: str
    name: str
    content: bytes
    others: tuple[bytes, ...] = ()


def run(first: int = 0, last: int = COUNT) -> None:
    """Print what came of the mutants of each format."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, sound, changes in (
            ("volumes", _volumes(folder / "phantoms"), {}),
            ("pictures", _pictures(), PICTURES),
        ):
            place = folder / name
            place.mkdir()
            with running(write_model(place / "bundle", **changes), place, max_waiting=2 * CLIENTS) as service:
                for title, one in sound.items():
                    measure(service, title, one, first, last)


def measure(service: Running, title: str, sound: Sound, first: int, last: int) -> None:
    """Send the mutants of one file, and print what was answered."""
    began, outcomes, slow, faults = time.perf_counter(), Counter[str](), [], []
    with httpx.Client(base_url=service.address, timeout=60.0) as client, ThreadPoolExecutor(CLIENTS) as clients:
        for number, status, code, seconds in clients.map(partial(_send, client, sound), range(first, last)):
            outcomes[f"{status} {code}"] += 1
            if seconds > LIMIT_S:
                slow.append((number, seconds))
            if status >= 500 or status == 0:
                faults.append(f"{number}: {status} {code}")
        ready = client.get("/readyz").status_code
    died = service.log.read_text(errors="replace").count("died")
    print(
        f"\n{title}: {last - first} mutated uploads in {time.perf_counter() - began:.0f} s: {len(faults)} answered with 5xx or not at all, "
        f"{len(slow)} slower than {LIMIT_S:.0f} s, {died} lines of the log tell of a death, /readyz {ready}, "
        f"{service.memory_mb():.0f} MB"
    )
    for outcome, n in outcomes.most_common():
        print(f"  {n:6d} {outcome}")
    print(*faults[:10], *slow[:10], sep="\n", flush=True)


def _send(client: httpx.Client, sound: Sound, number: int) -> tuple[int, int, str, float]:
    random = Random(SEED * 1_000_003 + number)
    name, content = sound.name, mutate(sound.content, sound.content, random)
    if sound.others:
        name, content = "study.zip", _zipped((content, *sound.others))
    began = time.perf_counter()
    while True:
        try:
            answer = client.post("/v1/segment?format=json", files={sound.part: (name, content)})
        except httpx.TransportError as error:
            return number, 0, type(error).__name__, time.perf_counter() - began
        # The queue is full of our own: none of these is judged by it.
        if answer.status_code != 429:
            break
        began = time.perf_counter()
    code = "segmented" if answer.status_code == 200 else answer.json().get("code", "?")
    return number, answer.status_code, code, time.perf_counter() - began


def _zipped(contents: tuple[bytes, ...]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for number, content in enumerate(contents):
            archive.writestr(f"{number}.dcm", content)
    return made.getvalue()


def _volumes(folder: Path) -> dict[str, Sound]:
    study = folder / write_phantoms(folder, n_cases=1, seed=21, modality="ct")[0].study
    headers = {path: pydicom.dcmread(path, stop_before_pixels=True) for path in study.rglob("*.dcm")}
    places = {path: float(data.ImagePositionPatient[2]) for path, data in headers.items() if data.Modality == "CT"}
    images = [path.read_bytes() for path in sorted(places, key=lambda path: places[path])[:6]]
    array = np.random.default_rng(0).normal(40, 30, (5, 24, 24)).astype(np.int16)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((2.0, 2.0, 4.0))
    found = {"DICOM, one file of six": Sound("study", "study.zip", images[2], (*images[:2], *images[3:]))}
    whole = _zipped(tuple(images))
    found["zip"] = Sound("study", "study.zip", whole)
    for ending in ("nii.gz", "nii", "nrrd", "mha"):
        path = folder / f"image.{ending}"
        sitk.WriteImage(image, path)
        found[ending] = Sound("CT", path.name, path.read_bytes())
    return found


def _pictures() -> dict[str, Sound]:
    pixels = np.random.default_rng(0).integers(0, 255, (48, 64), dtype=np.uint8)
    found = {}
    for ending in ("png", "jpg", "tif", "bmp", "gif"):
        made = io.BytesIO()
        Image.fromarray(pixels).save(made, {"jpg": "JPEG", "tif": "TIFF"}.get(ending, ending.upper()))
        found[ending] = Sound("gray", f"image.{ending}", made.getvalue())
    return found


if __name__ == "__main__":
    run(*map(int, sys.argv[1:3]))
