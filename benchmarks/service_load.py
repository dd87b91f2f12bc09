"""200 clients for 60 s: is every answer honest, everything accepted done, and memory flat?

`python -m benchmarks service_load`, or `python -m benchmarks.service_load CLIENTS SECONDS`.
"""

import asyncio
import io
import random
import select
import sys
import tempfile
import time
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np

from benchmarks.running_service import Running, running, write_model
from lesionflow.phantoms import write_phantoms

CLIENTS, SECONDS = 200, 60.0
#: What a client does, and how often of a hundred times.
MIXTURE = {"hand_in": 30, "segment": 20, "listen": 10, "spoil": 15, "model": 15, "cancel": 10}


@dataclass
class Seen:
    """What the clients were told."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    accepted: dict[str, bool] = field(default_factory=dict)
    resets: Counter[str] = field(default_factory=Counter)
    dishonest: list[str] = field(default_factory=list)
    memory_mb: list[tuple[float, float]] = field(default_factory=list)

    def note(self, what: str, answer: httpx.Response) -> httpx.Response:
        """Count an answer; one that says less than it should is kept."""
        self.statuses[what, answer.status_code] += 1
        is_problem = answer.headers.get("content-type", "") == "application/problem+json"
        honest = answer.status_code < 400 or (is_problem and "code" in answer.json())
        if answer.status_code in (429, 503):
            honest = honest and answer.headers.get("retry-after", "").isdigit()
        elif answer.status_code >= 500:
            honest = False
        if not honest:
            self.dishonest.append(f"{what}: {answer.status_code} {answer.text[:200]}")
        return answer


def run(n_clients: int = CLIENTS, seconds: float = SECONDS) -> None:
    """Print what the clients were told, and what became of what was accepted."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        study = folder / "studies"
        content = _zipped(study / write_phantoms(study, n_cases=1, seed=21, modality="ct")[0].study)
        with running(write_model(folder / "bundle"), folder, max_waiting=16, max_queued=100, max_uploads=64) as service:
            seen = asyncio.run(_ask(service, content, n_clients, seconds))
            _print(seen, n_clients, seconds)


async def _ask(service: Running, content: bytes, n_clients: int, seconds: float) -> Seen:
    seen, until = Seen(), time.monotonic() + seconds
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=n_clients)
    async with httpx.AsyncClient(base_url=service.address, timeout=120.0, limits=limits) as client:
        watching = asyncio.create_task(_watch(service, seen))
        asking = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.service_load", service.address, stdin=asyncio.subprocess.PIPE
        )
        clients = (_be_client(number, client, content, until, seen) for number in range(n_clients))
        await asyncio.gather(*clients)
        await asking.communicate(b"over")
        print(f"{len(seen.accepted)} studies accepted; waiting for the last", flush=True)
        await _finish(client, seen)
        watching.cancel()
    return seen


async def _watch(service: Running, seen: Seen) -> None:
    began = time.monotonic()
    while True:
        seen.memory_mb.append((time.monotonic() - began, await asyncio.to_thread(service.memory_mb)))
        await asyncio.sleep(1.0)


def watch(address: str) -> None:
    """Ask /readyz twice a second until the other side is closed, and print what came; a process of its own, as 200 clients in one delay each other."""
    statuses, seconds = Counter[int](), []
    with httpx.Client(timeout=60.0) as client:
        while not select.select([sys.stdin], [], [], 0.5)[0]:
            asked = time.monotonic()
            try:
                statuses[client.get(f"{address}/readyz").status_code] += 1
            except httpx.TransportError:
                statuses[0] += 1
            seconds.append(time.monotonic() - asked)
    print(
        f"/readyz: statuses {dict(statuses)}, median {np.median(seconds):.3f} s, p95 {np.quantile(seconds, 0.95):.3f} s"
    )


async def _be_client(number: int, client: httpx.AsyncClient, content: bytes, until: float, seen: Seen) -> None:
    choose, files = random.Random(number), {"study": ("study.zip", content)}
    while time.monotonic() < until:
        (what,) = choose.choices(list(MIXTURE), list(MIXTURE.values()))
        try:
            if what == "segment":
                answer = seen.note(what, await client.post("/v1/segment?format=nifti", files=files))
            elif what == "spoil":
                cut = {"study": ("study.zip", content[: choose.randrange(len(content))])}
                answer = seen.note(what, await client.post("/v1/segment", files=cut))
            elif what == "model":
                answer = seen.note(what, await client.get("/v1/model"))
            else:
                answer = seen.note(what, await client.post("/v1/studies?format=dicom-seg", files=files))
                if answer.status_code in (200, 202):
                    await _follow(what, answer.json()["id"], client, seen)
            # As an honest client does, if never so long.
            await asyncio.sleep(min(float(answer.headers.get("retry-after", 0)), 5.0) * choose.random())
        except httpx.TransportError as error:
            seen.resets[f"{what} {type(error).__name__}"] += 1


async def _follow(what: str, job: str, client: httpx.AsyncClient, seen: Seen) -> None:
    seen.accepted[job] = False
    if what == "listen":
        seen.note("events", await client.get(f"/v1/jobs/{job}/events"))
    if what == "cancel":
        answer = seen.note("cancel it", await client.delete(f"/v1/jobs/{job}"))
        if answer.status_code < 300:
            seen.accepted[job] = True


async def _finish(client: httpx.AsyncClient, seen: Seen) -> None:
    """Wait for all that was accepted; a job that was cancelled has an end too."""
    for job, cancelled in list(seen.accepted.items()):
        for _ in range(60):
            answer = seen.note("end", await client.get(f"/v1/jobs/{job}?wait=20"))
            if answer.status_code == 200:
                break
        state = answer.json()["state"]
        seen.statuses[f"job {state}", answer.status_code] += 1
        if state != "done" and not cancelled:
            seen.dishonest.append(f"job {state}: {answer.text[:200]}")
        elif state == "done":
            seen.note("mask", await client.get(f"/v1/results/{job}/mask?format=dicom-seg"))


def _print(seen: Seen, n_clients: int, seconds: float) -> None:
    print(f"\n{n_clients} clients for {seconds:.0f} s: {len(seen.accepted)} studies accepted")
    for (what, status), n in sorted(seen.statuses.items()):
        print(f"  {what:14s} {status} {n:6d}")
    print(f"connections that broke: {dict(seen.resets) or 'none'}")
    print(f"answers that say less than they should: {len(seen.dishonest)}")
    for text in seen.dishonest[:10]:
        print(f"  {text}")
    marks = {mark: min(seen.memory_mb, key=lambda pair: abs(pair[0] - mark))[1] for mark in (10, 30, seconds)}
    told = ", ".join(f"{mb:.0f} MB after {mark:.0f} s" for mark, mb in marks.items())
    print(
        f"memory of all processes: {told}, {seen.memory_mb[-1][1]:.0f} MB at the end, peak {max(mb for _, mb in seen.memory_mb):.0f} MB"
    )


def _zipped(study: Path) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(path for path in study.rglob("*") if path.is_file()):
            archive.write(path, path.relative_to(study))
    return made.getvalue()


if __name__ == "__main__":
    if len(sys.argv) == 2:
        watch(sys.argv[1])
    else:
        run(int(sys.argv[1]), float(sys.argv[2]))
