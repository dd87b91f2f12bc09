"""The locks of the images say what requirements.lock and pyproject.toml say now, and an image has what its code imports."""

import re
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from containers import locks

DOCKERFILE = (locks.ROOT / "containers/Dockerfile").read_text()
PROJECT = tomllib.loads((locks.ROOT / "pyproject.toml").read_text())
#: Rooms that a service loads; `python -X importtime` and the service's test in its container say the same.
OF_SERVICE = (
    "config",
    "data",
    "evaluation",
    "inference",
    "io",
    "machine",
    "models",
    "prediction",
    "preprocessing",
    "registry",
    "serving",
)
#: Imported where they are needed, by modules that a service does not load or that refuse by name without them.
LAZY = {"SimpleITK", "blosc2", "cv2", "monai", "onnx", "pyarrow"}


def read(target):
    """Return name -> (version, number of hashes)."""
    text = locks.lock_of(target).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    parsed = [re.fullmatch(r"([a-z0-9.-]+)==(\S+)((?:\s+--hash=sha256:[0-9a-f]{64})+)\s*", line) for line in lines]
    assert all(parsed), [line[:60] for line, match in zip(lines, parsed, strict=True) if match is None]
    return {match[1]: (match[2], match[3].count("sha256:")) for match in parsed}


@pytest.mark.parametrize("target", locks.GROUPS)
def test_a_lock_is_current(target):
    """`python -m containers.locks` makes it again; by the metadata installed here, which `make setup` has from requirements.lock."""
    locked = read(target)
    ours = {
        name: version.removesuffix("+cpu") for name, (version, _) in locked.items() if not locks.CUDA.match(f"{name}==")
    }
    needed = dict(pin.split("==") for pin in locks.pins(locks.GROUPS[target]))
    expected = {name: version for name, version in needed.items() if not locks.CUDA.match(f"{name}==")}
    assert ours == expected
    assert min(count for _, count in locked.values()) >= 1


def test_the_gpus_lock_has_cuda_and_the_others_only_what_asks_a_gpu_for_its_memory():
    assert {target: read(target)["torch"][0].partition("+")[2] for target in locks.GROUPS} == {
        "serve": "cpu",
        "train-cpu": "cpu",
        "train-gpu": "",
    }
    cuda = {target: {name for name in read(target) if locks.CUDA.match(f"{name}==")} for target in locks.GROUPS}
    assert cuda["serve"] <= {"nvidia-ml-py"} >= cuda["train-cpu"]
    assert {"nvidia-cudnn-cu13", "nvidia-nccl-cu13", "triton"} <= cuda["train-gpu"]


def test_no_image_has_what_tests_lints_or_documents_and_the_service_nothing_that_trains():
    for target in locks.GROUPS:
        assert not {"pytest", "ruff", "mypy", "mkdocs", "import-linter", "hypothesis", "pre-commit"} & set(read(target))
    trains = {
        "pytorch-lightning",
        "albumentations",
        "great-expectations",
        "monai",
        "dvc",
        "kfp",
        "mlflow",
        "pyarrow",
        "scikit-learn",
    }
    assert not trains & set(read("serve"))
    assert {"pytorch-lightning", "dvc", "kfp", "mlflow"} <= set(read("train-cpu"))


def test_a_group_names_only_what_the_project_depends_on():
    stated = {canonicalize_name(Requirement(line).name) for line in PROJECT["project"]["dependencies"]}
    for extra in PROJECT["project"]["optional-dependencies"].values():
        stated |= {canonicalize_name(Requirement(line).name) for line in extra}
    named = {
        canonicalize_name(Requirement(line).name) for group in locks.GROUPS.values() for line in locks.roots(group)
    }
    # Its server's accounts ask MLflow for it.
    assert named - stated == {"boto3", "flask-wtf"}
    assert not {"opencv-python-headless", "simpleitk"} & set(read("serve"))


def test_what_the_services_rooms_import_is_in_its_lock():
    owners, locked, missing = packages_distributions(), set(read("serve")), set()
    for room in OF_SERVICE:
        for path in sorted((locks.ROOT / "src/lesionflow" / room).rglob("*.py")):
            if path.name == "nnunet_program.py":  # runs in nnU-Net's own Python
                continue
            found = re.findall(
                r"^\s*(?:from (\w+)\S* import |import (\w+)\S*(?: as \w+)?$)", path.read_text(), re.MULTILINE
            )
            imported = {name for pair in found for name in pair if name}
            missing |= {
                root
                for root in imported
                if root not in {*sys.stdlib_module_names, *LAZY, "lesionflow"}
                and not {canonicalize_name(owner) for owner in owners.get(root, [])} & locked
            }
    assert missing == set()


def test_the_dockerfile_has_each_lock_and_checks_the_hashes():
    for target in locks.GROUPS:
        assert f" AS {target}\n" in DOCKERFILE
        assert (
            f"--require-hashes ${{TORCH_INDEX_URL:+--index ${{TORCH_INDEX_URL}}}} -r requirements-{target}.lock"
            in DOCKERFILE
            or (target == "train-gpu" and f"--require-hashes -r requirements-{target}.lock" in DOCKERFILE)
        )
