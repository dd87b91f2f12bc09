"""Sliding-window inference beside MONAI's on a body in air, same network, patches and overlap; and a very large CT."""

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.large_ct import write_study

SHAPE, PATCH, OVERLAP = (128, 512, 512), (96, 96, 96), 0.5
COMMON = f"""
import time, numpy as np, torch
from lesionflow.data.plan import ArchitecturePlan
from lesionflow.models import build_model
torch.manual_seed(0)
options = dict(base_channels=16, depth=4, normalization="instance", activation="leaky_relu", residual=False, dropout_fraction=0.0)
net = build_model(ArchitecturePlan(name="unet", options=options), in_channels=1, out_channels=1, dimensions=3).eval()
def megabytes(key):
    return int(next(line for line in open("/proc/self/status") if line.startswith(key)).split()[1]) / 1024
before = megabytes("VmRSS")
grid = np.ogrid[-1:1:{SHAPE[1]}j, -1:1:{SHAPE[2]}j]
body = ((grid[0] / 0.45) ** 2 + (grid[1] / 0.65) ** 2 < 1)
image = np.where(body, np.float32(40), np.float32(-1000))[None, None].repeat({SHAPE[0]}, axis=1)
random = np.random.default_rng(0)
for plane in image[0]:
    plane += 10 * random.standard_normal(plane.shape, dtype=np.float32)
"""
OURS = f"""
from lesionflow.inference.budgets.allocator import kept_memory, returned_memory
from lesionflow.inference.patches import predict_patches
from lesionflow.inference.slabwise import slabwise
from lesionflow.preprocessing.crop import body_box
lean = NAME == "lean"
began = time.perf_counter()
box = body_box(image, ("ct",))
cut = np.ascontiguousarray(image[(slice(None), *box)])
with returned_memory() if lean else kept_memory():
    predict_patches(slabwise(net) if lean else net, cut, patch_size={PATCH}, overlap_fraction={OVERLAP}, n_targets=1, flip_axes=(), device=torch.device("cpu"))
"""
MONAI = f"""
from monai.inferers import sliding_window_inference
began = time.perf_counter()
with torch.no_grad():
    torch.sigmoid(sliding_window_inference(torch.from_numpy(image[None]), {PATCH}, 1, net, overlap={OVERLAP}, mode="gaussian"))
"""
#: Peaks: of the process, and beyond torch and the network; the second holds the image and what either library imports.
END = "print(time.perf_counter() - began, megabytes('VmHWM'), megabytes('VmHWM') - before)"


def run() -> None:
    """Print the figures, each from a process of its own."""
    print("\nSliding window, 512 x 512 x 128, patches of 96, overlap 0.5, Gaussian, U-Net 16 channels")
    for name, code in (
        ("lesionflow, body cropped", "NAME = 'fast'" + OURS),
        ("lesionflow, body cropped, slab by slab", "NAME = 'lean'" + OURS),
        ("MONAI sliding_window_inference, eager", MONAI),
    ):
        done = subprocess.run([sys.executable, "-c", COMMON + code + END], check=True, capture_output=True, text=True)
        seconds, peak, beyond = map(float, done.stdout.split())
        print(f"  {name:<42} {seconds:8.1f} s  peak {peak:.0f} MB, {beyond:.0f} MB beyond torch and the network")
    _run_large()


def _run_large() -> None:
    print("\nDICOM to DICOM SEG, CT of 512 x 512 x 800 at 0.8 x 0.8 x 1 mm, 2D U-Net of 16 channels, 3 slices")
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "study"
        folder.mkdir()
        write_study(folder)
        for spacing_mm in (3.0, 0.8):
            command = [sys.executable, "-m", "benchmarks.large_ct", str(folder), str(spacing_mm)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            seconds, peak = done.stdout.split()
            name = f"lesionflow, network at {spacing_mm} mm"
            print(f"  {name:<42} {float(seconds):8.1f} s  peak {float(peak):.0f} MB")
