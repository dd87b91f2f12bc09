"""PyTorch and OpenVINO on the validation and test cases of a workspace, from study to mask: python -m benchmarks.backends WORKSPACE."""

import json
import sys
from pathlib import Path

from lesionflow.calibration import backend_choice as parity
from lesionflow.io.stores.bundles import read_bundle
from lesionflow.io.stores.cases import read_case


def run(workspace: Path) -> None:
    """Print a line a case, as validation would judge it."""
    bundle = read_bundle(workspace / "models" / "candidate")
    split = json.loads((workspace / "data" / "splits.json").read_text(encoding="utf-8"))
    print(f"{'case':<14}{'PyTorch s':>11}{'OpenVINO s':>12}{'equal %':>12}{'Dice':>10}")
    for case_id in (*bundle.card.validation_cases, *split["test"]):
        found = parity.choose_backend(bundle, lambda name: read_case(workspace / "data" / "cases", name), [case_id])
        if found is None:
            print(f"{case_id:<14} not compared")
            continue
        equal, dice = f"{100 * found.equal_fraction:.5f}", f"{found.dice:.6f}"
        print(f"{case_id:<14}{found.seconds_pytorch:11.2f}{found.seconds:12.2f}{equal:>12}{dice:>10}", flush=True)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
