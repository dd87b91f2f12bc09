"""What a study costs the service beyond the Segmenter's own time, and what of it is the child process: the same work here and there, in turn.

`python -m benchmarks child_overhead`: a CT of 512 x 512 x 128, and a CT + PET of the collection STS where its data lies beside the repository.
"""

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil

from benchmarks import large_ct
from benchmarks.timing import compare
from lesionflow.config import load_params
from lesionflow.config.presets import find_params
from lesionflow.data.plan import ChannelPlan, Plan
from lesionflow.inference import Segmenter
from lesionflow.io.stores.bundles import read_bundle, write_bundle
from lesionflow.models import build_model
from lesionflow.prediction.served_model import ServedModel, load_kept
from lesionflow.serving.children.model_process import ModelProcess, Terms
from lesionflow.serving.generations.study_work import segment_parts
from lesionflow.serving.settings import ServiceSettings
from lesionflow.serving.uploads.multipart import Part

ROUNDS, N_SLICES, SPACING_MM = 3, 128, 2.0
STS = Path(__file__).resolve().parents[2] / "shared" / "data" / "sts" / "dicom"
OWN = ("to_model_space", "network", "to_source_space")


def run() -> None:
    """Print seconds of each study, by format."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        study = folder / "ct"
        study.mkdir()
        large_ct.N_SLICES = N_SLICES
        large_ct.write_study(study)
        measure(f"CT 512 x 512 x {N_SLICES}", study, large_ct.make_model(SPACING_MM), folder / "of-ct")
        for patient in sorted(STS.iterdir())[:1] if STS.is_dir() else ():
            measure(patient.name, patient, petct(large_ct.make_model(SPACING_MM)), folder / "of-petct")


def petct(model: ServedModel) -> ServedModel:
    """Return a model for CT and PET, its network and space those of the preset `sts_petct`, untrained."""
    plan, params = model.bundle.plan, load_params(find_params("sts_petct"))["plan"]
    pet = ChannelPlan(name="PET", kind="pet", lower=0.0, upper=20.0, mean=1.0, std=2.0)
    changes = {
        "dataset": {"name": "sts", "channels": {"CT": "ct", "PET": "pet"}, "labels": {"tumor": 1}, "regions": {}},
        "channels": [*plan.model_dump()["channels"], pet.model_dump()],
        **{key: params[key] for key in ("dimensions", "context_slices", "spacing_mm", "patch_size", "architecture", "inference")},
    }  # fmt: skip
    plan = Plan.model_validate(plan.model_dump() | changes)
    network = build_model(plan.architecture, in_channels=plan.in_channels, out_channels=1, dimensions=3)
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    card = model.bundle.card.model_copy(update={"plan_sha256": plan.digest()})
    return replace(model, bundle=replace(model.bundle, plan=plan, weights=weights, card=card))


def measure(title: str, study: Path, model: ServedModel, folder: Path) -> None:
    """Segment a study here and in a child, in turn."""
    card = model.bundle.card.model_copy(update={"plan_sha256": model.bundle.plan.digest()})
    write_bundle(folder / "bundle", replace(model.bundle, card=card))
    order = {
        "folder": str(folder / "bundle"), "name": "m", "version": "1", "bundle_digest": read_bundle(folder / "bundle").digest,
        "device": "cpu", "memory_mb": None,
    }  # fmt: skip
    child = ModelProcess()
    child.load(order)
    here = load_kept(folder / "bundle", "m", "1", "")
    segmenter, limits = Segmenter(here.bundle, device="cpu"), ServiceSettings(model="m")

    def cpu_seconds() -> float:
        times = psutil.Process(child.pid).cpu_times()
        return time.process_time() + times.user + times.system

    for name in ("dicom-seg", "json"):
        own: list[float] = []
        cpu: dict[str, list[float]] = {"child": [], "here": []}

        def in_child(parts: list[Part], into: Path, name: str = name) -> dict[str, object]:
            sent = [(part.name, str(part.path)) for part in parts]
            asked = {"parts": sent, "into": str(into), "format": name, "max_unpacked_mb": 8192, "max_files": 20_000}
            return child.segment(asked, Terms())

        def in_process(parts: list[Part], into: Path, name: str = name) -> dict[str, object]:
            return segment_parts(here, segmenter, parts, into, name, limits)

        calls = {"child": in_child, "here": in_process}
        made = {key: partial(once, call, study, folder, own, cpu[key], cpu_seconds) for key, call in calls.items()}
        found = {key: statistics.median(seconds) for key, seconds in compare(made, ROUNDS).items()}
        alone = statistics.median(own)
        spent = {key: statistics.median(seconds[1:]) for key, seconds in cpu.items()}
        print(
            f"{title}, {name}: Segmenter {alone:.2f} s; here {found['here']:.2f} s, in a child {found['child']:.2f} s: "
            f"the child costs {100 * (found['child'] - found['here']) / alone:+.1f} % of the Segmenter's time, all around it "
            f"{100 * (found['child'] - alone) / alone:.0f} %; processor time here {spent['here']:.2f} s, in a child {spent['child']:.2f} s"
        )
    child.kill()


def once(
    call: Callable[[list[Part], Path], dict[str, object]],
    study: Path,
    folder: Path,
    own: list[float],
    cpu: list[float],
    clock: Callable[[], float],
) -> None:
    """Do the work of one request whose files have arrived."""
    sent, into = folder / "sent", folder / "result"
    for made in (sent, into):
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
    parts = []
    for number, path in enumerate(sorted(path for path in study.rglob("*") if path.is_file())):
        os.link(path, sent / f"part-{number:06d}") if path.stat().st_dev == sent.stat().st_dev else shutil.copyfile(
            path, sent / f"part-{number:06d}"
        )
        parts.append(Part("study", sent / f"part-{number:06d}"))
    began = clock()
    timings = call(parts, into)["timings_s"]
    cpu.append(clock() - began)
    own.append(sum(timings[key] for key in OWN))  # type: ignore[index]
