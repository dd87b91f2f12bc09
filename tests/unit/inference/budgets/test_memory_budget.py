"""A declared memory budget is kept, as the operating system counts, or refused before the work begins."""

import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Volume
from lesionflow.errors import InputError
from lesionflow.inference import Segmenter
from support.bundles import constant_bundle

SCRIPT = """
import sys
from dataclasses import replace
import numpy as np
import torch
from lesionflow.data.bundle import Bundle
from lesionflow.data.geometry import Geometry
from lesionflow.data.plan import CoarsePlan
from lesionflow.data.volume import Volume
from lesionflow.errors import InputError
from lesionflow.inference import Segmenter
from lesionflow.models import build_model
from lesionflow.models.cascade import join_stages
sys.path.append({tests!r})
from support.bundles import small_bundle

dimensions, budget_mb = 2 if sys.argv[1] == "2" else 3, int(sys.argv[2])
torch.set_num_threads(1)
torch.manual_seed(0)
plan = small_bundle().plan
options = {{**plan.architecture.options, "base_channels": 16, "depth": 2}}
plan = plan.model_copy(update={{
    "dimensions": dimensions, "architecture": plan.architecture.model_copy(update={{"options": options}}),
    "patch_size": (32, 96, 96) if dimensions == 3 else (3, 96, 96), "context_slices": 1 if dimensions == 3 else 3,
    "spacing_mm": (None, None, None),
}})
if sys.argv[1] == "cascade":
    coarse = CoarsePlan(factors=(1, 2, 2), patch_size=(32, 48, 48), batch_size=1, architecture=plan.architecture)
    plan = plan.model_copy(update={{"coarse": coarse}})


def draw(plan):
    network = build_model(plan.architecture, in_channels=plan.in_channels, out_channels=1, dimensions=dimensions)
    return {{name: value.numpy() for name, value in network.state_dict().items()}}


weights = join_stages(draw(plan.first_stage()), draw(plan)) if plan.coarse else draw(plan)
shape = (40, 110, 90)
array = np.random.default_rng(0).normal(40, 60, (1, *shape)).astype(np.float32)
study = Volume(array, Geometry.from_parts(shape, (2.0, 0.8, 0.5)))
segmenter = Segmenter(Bundle(plan, weights, small_bundle().card), device="cpu", memory_mb=budget_mb)
try:
    found = segmenter.segment(study, case_id="c-1")
except InputError as error:
    print("refused", error.reason, error)
else:
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024 / 1e6
    print("kept", peak, int(found.mask.labels.sum()))
"""


def _run(kind: str, budget_mb: int, tests: str) -> list[str]:
    code = textwrap.dedent(SCRIPT.format(tests=tests))
    done = subprocess.run(
        [sys.executable, "-c", code, kind, str(budget_mb)], capture_output=True, text=True, check=True
    )
    return done.stdout.split(maxsplit=2)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peaks are read from /proc")
@pytest.mark.parametrize("kind", ["2", "3", "cascade"])
def test_a_budget_is_kept_and_the_number_that_a_refusal_names_is_enough(kind, pytestconfig):
    tests = str(pytestconfig.rootpath / "tests")
    word, reason, message = _run(kind, 100, tests)
    assert (word, reason) == ("refused", "memory_budget")
    assert "LESIONFLOW_MEMORY_MB" in message
    least = int(re.search(r"found that (\d+) MB are needed", message).group(1)) + 5
    results = [_run(kind, budget, tests) for budget in (least, 4000)]
    assert [result[0] for result in results] == ["kept", "kept"]
    peaks = [float(peak) for _, peak, _ in results]
    assert peaks[0] <= least
    # The lean way is lean: what is refused is not far from what is taken.
    assert least < 2 * peaks[0]
    # The same answer, but for voxels at the threshold.
    found = [int(n) for _, _, n in results]
    assert found[0] == pytest.approx(found[1], rel=1e-3)


def test_without_a_budget_nothing_is_refused_and_with_one_the_case_is_named():
    study = Volume(np.full((1, 5, 33, 17), 50.0, np.float32), Geometry.from_parts((5, 33, 17), (3.0, 0.8, 0.5)))
    array = study.array.copy()
    array[0, 2, 3:9, 4:7] = 90.0
    study = Volume(array, study.geometry)
    assert Segmenter(constant_bundle(3.0), device="cpu").segment(study, case_id="c-7").mask.labels.any()
    with pytest.raises(InputError, match="Case c-7") as refused:
        Segmenter(constant_bundle(3.0), device="cpu", memory_mb=1).segment(study, case_id="c-7")
    assert refused.value.reason == "memory_budget"
