"""Pictures a second at 32 clients: the service, and beside it, with the same network, a plain Flask + PyTorch endpoint of the papers' kind.

`python -m benchmarks service_slices`
"""

import asyncio
import io
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

from benchmarks.running_service import free_port, running, write_model
from benchmarks.service_uploads import PICTURES

CLIENTS, SECONDS, SIZE = 32, 30.0, 256


def run(n_clients: int = CLIENTS, seconds: float = SECONDS) -> None:
    """Print pictures a second and how long an answer took, of both."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bundle = write_model(folder / "bundle", **PICTURES)
        with running(bundle, folder, max_waiting=2 * n_clients, max_uploads=2 * n_clients) as service:
            _measure("lesionflow serve", f"{service.address}/v1/segment?format=nifti", "gray", n_clients, seconds)
        port = free_port()
        command = [sys.executable, "-m", "benchmarks.flask_peer", str(bundle), str(port)]
        peer = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _measure("Flask + PyTorch", f"http://127.0.0.1:{port}/predict", "file", n_clients, seconds)
        finally:
            peer.kill()


def picture() -> bytes:
    """Return a PNG of noise."""
    made = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (SIZE, SIZE), dtype=np.uint8)).save(made, "PNG")
    return made.getvalue()


def _measure(title: str, address: str, part: str, n_clients: int, seconds: float) -> None:
    took, statuses = asyncio.run(_ask(address, part, n_clients, seconds))
    print(
        f"{title}: {n_clients} clients, {SIZE} x {SIZE}: {len(took) / seconds:.1f} pictures/s, an answer after {statistics.median(took):.2f} s "
        f"(p95 {np.quantile(took, 0.95):.2f} s), statuses {dict(statuses)}",
        flush=True,
    )


async def _ask(address: str, part: str, n_clients: int, seconds: float) -> tuple[list[float], Counter[int]]:
    took: list[float] = []
    statuses: Counter[int] = Counter()
    files = {part: ("picture.png", picture())}
    async with httpx.AsyncClient(timeout=120.0, limits=httpx.Limits(max_connections=n_clients)) as client:
        for _ in range(100):
            try:
                await client.post(address, files=files)
                break
            except httpx.TransportError:
                await asyncio.sleep(0.3)
        until = time.monotonic() + seconds

        async def one() -> None:
            while time.monotonic() < until:
                asked = time.monotonic()
                answer = await client.post(address, files=files)
                statuses[answer.status_code] += 1
                if answer.status_code == 200 and time.monotonic() < until:
                    took.append(time.monotonic() - asked)

        await asyncio.gather(*(one() for _ in range(n_clients)))
    return took, statuses
