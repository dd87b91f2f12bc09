"""What `make image` tells each engine, by engines that only write down what they are told; and what the Dockerfile's slimming leaves."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lesionflow import __version__

ROOT = Path(__file__).resolve().parents[2]
BUILD, DOCKERFILE = ROOT / "containers/build", ROOT / "containers/Dockerfile"


def git(*words):
    return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def told(tmp_path):
    """Return a function that runs containers/build with engines of these names, and gives what they were told."""

    def run(*engines, targets=(), **settings):
        tools = tmp_path / "bin"
        tools.mkdir()
        for tool in ("bash", "dirname", "git", "sed", "cat"):
            (tools / tool).symlink_to(shutil.which(tool))
        for engine in engines:
            # A docker without its daemon is there, and can't build.
            ready = "exit 1" if engine == "broken-docker" else ":"
            path = tools / engine.removeprefix("broken-")
            path.write_text(
                f'#!/bin/bash\n[ "$1" = info ] && {{ {ready}; exit; }}\necho "{path.name} $SOURCE_DATE_EPOCH $*"\n'
            )
            path.chmod(0o755)
        environment = {"PATH": str(tools), "HOME": str(tmp_path), **settings}
        return subprocess.run(
            [str(BUILD), *targets], env=environment, capture_output=True, text=True, check=False, cwd=tmp_path
        )

    return run


@pytest.mark.parametrize(
    ("engines", "chosen"),
    [
        (("docker", "buildah", "podman"), "docker"),
        (("broken-docker", "buildah", "podman"), "buildah"),
        (("podman",), "podman"),
    ],
)
def test_the_first_engine_that_works_builds_at_the_commits_revision_and_time(told, engines, chosen):
    done = told(*engines, targets=("serve",))
    assert done.returncode == 0, done.stderr
    epoch = git("log", "-1", "--format=%ct")
    (line,) = [line for line in done.stdout.splitlines() if line.startswith(f"{chosen} {epoch} build ")]
    revision = git("describe", "--always", "--dirty", "--exclude=*", "--abbrev=40")
    assert f"--build-arg CODE_REVISION={revision} --build-arg VERSION={__version__}" in line
    assert line.endswith(f"-f containers/Dockerfile --target serve -t lesionflow:{__version__}-serve .")
    assert ("--timestamp" in line, "--format docker" in line) == (chosen != "docker", chosen != "docker")


def test_all_targets_of_the_dockerfile_are_built_with_what_was_set(told):
    done = told(
        "buildah",
        REGISTRY="r.example/t/",
        BASE="b@sha256:1",
        TORCH_INDEX_URL="https://t.example",
        BUILD_FLAGS="-v /a:/b:ro",
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("buildah ")]
    names = [re.search(r"-t (\S+)", line)[1] for line in lines]
    assert names == [f"r.example/t/lesionflow:{__version__}-{target}" for target in ("serve", "train-cpu", "train-gpu")]
    for line in lines:
        assert "-v /a:/b:ro " in line
        assert "--build-arg BASE=b@sha256:1 --build-arg TORCH_INDEX_URL=https://t.example" in line


def test_without_an_engine_it_says_what_is_needed(told):
    done = told()
    assert done.returncode == 1
    assert "expected docker, buildah or podman, found none" in done.stderr


def test_every_image_knows_its_commit_is_not_root_and_has_a_base_by_digest():
    text = DOCKERFILE.read_text()
    assert re.search(r"^ARG BASE=\S+@sha256:[0-9a-f]{64}$", text, re.MULTILINE)
    # A build without it fails.
    assert 'AS code\nARG CODE_REVISION\nRUN test -n "${CODE_REVISION}"\n' in text
    for target in ("serve", "train-cpu", "train-gpu"):
        stage = re.search(rf"^FROM \w+ AS {target}\n(.*?)(?=^#|^FROM|\Z)", text, re.MULTILINE | re.DOTALL)[1]
        assert "\nENV LESIONFLOW_CODE_REVISION=${CODE_REVISION}\n" in stage
        assert 'org.opencontainers.image.revision="${CODE_REVISION}"' in stage
        assert "\nUSER 10001:10001\n" in stage


HADOLINT = ROOT / "build/hadolint/bin/hadolint"


@pytest.mark.skipif(not HADOLINT.exists(), reason="no hadolint: make manifest-tools")
def test_hadolint_finds_nothing_in_the_dockerfile_and_would(tmp_path):
    def found(path):
        return subprocess.run([str(HADOLINT), str(path)], capture_output=True, text=True, check=False)

    done = found(DOCKERFILE)
    assert (done.returncode, done.stdout) == (0, "")
    faulty = tmp_path / "Dockerfile"
    faulty.write_text(
        DOCKERFILE.read_text().replace("apt-get install -y --no-install-recommends git", "apt-get install git")
    )
    done = found(faulty)
    assert done.returncode == 1
    assert {"DL3014", "DL3015"} <= set(re.findall(r"DL\d{4}", done.stdout))


@pytest.fixture
def site(tmp_path):
    """Return a site-packages with one of each that goes, and one of each that stays."""
    folder = tmp_path / "venv/lib/python3.11/site-packages"
    for name in (
        "torch/test/a.py", "torch/include/a.h", "torch/bin/test_jit", "torch/bin/torch_shm_manager", "torch/testing/__init__.py",
        "openvino/libs/libopenvino_intel_cpu_plugin.so", "openvino/libs/libopenvino_intel_gpu_plugin.so",
        "openvino/libs/libopenvino_pytorch_frontend.so.1", "openvino/libs/libopenvino_onnx_frontend.so.1",
        "pandas/tests/test_a.py", "pandas/_testing/__init__.py", "numpy/testing/__init__.py", "numpy/lib/tests/test_b.py",
        "pkg/__init__.py", "pkg/used.py", "pkg/unused.py", "pkg/__pycache__/used.cpython-311.pyc",
        "skimage/data/astronaut.png", "skimage/data/_fetchers.py", "pyarrow/libarrow_flight.so.2500", "pyarrow/libarrow.so.2500",
        "botocore/data/s3/2006-03-01/service-2.json.gz", "botocore/data/ec2/2016-11-15/service-2.json.gz", "botocore/data/endpoints.json",
    ):  # fmt: skip
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return folder


@pytest.fixture
def slim():
    spec = importlib.util.spec_from_file_location("slim", ROOT / "containers/slim.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_slimming_takes_what_no_import_needs_and_keeps_the_bytecode_of_what_is_loaded(site, slim, monkeypatch):
    slim.drop_needless(site)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, [site])))
    assert slim.compile_loaded(site, ["pkg.used"]) == 2
    left = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    compiled = f"cpython-{sys.version_info[0]}{sys.version_info[1]}.pyc"
    assert left == {
        "torch/bin/torch_shm_manager", "torch/testing/__init__.py", "openvino/libs/libopenvino_intel_cpu_plugin.so",
        "openvino/libs/libopenvino_pytorch_frontend.so.1", "pandas/_testing/__init__.py", "numpy/testing/__init__.py",
        "skimage/data/_fetchers.py", "pyarrow/libarrow.so.2500",
        "botocore/data/s3/2006-03-01/service-2.json.gz", "botocore/data/endpoints.json",
        "pkg/__init__.py", "pkg/used.py", "pkg/unused.py", f"pkg/__pycache__/__init__.{compiled}", f"pkg/__pycache__/used.{compiled}",
    }  # fmt: skip
    # By hash, never looked up again (PEP 552: flags 0b01): a file's time may change, and read-only containers still start fast.
    assert (site / f"pkg/__pycache__/used.{compiled}").read_bytes()[4:8] == b"\x01\0\0\0"


def extension():
    """Return an extension module of this installation that still has its symbols, and its name."""
    spec = importlib.util.find_spec("yaml._yaml")
    return Path(spec.origin), Path(spec.origin).name


@pytest.mark.skipif(shutil.which("strip") is None, reason="no strip (binutils) on this machine")
def test_symbols_go_and_the_module_is_the_same_to_who_imports_it(tmp_path, slim):
    origin, name = extension()
    shutil.copytree(origin.parent, tmp_path / "yaml")
    before = (tmp_path / "yaml" / name).stat()
    assert slim.strip(tmp_path) == []
    after = (tmp_path / "yaml" / name).stat()
    assert (after.st_size < before.st_size / 2, after.st_mode) == (True, before.st_mode)
    code = "import yaml; print(yaml.__file__, yaml.load('[1, a: 2]', yaml.CSafeLoader))"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"{tmp_path}/yaml/__init__.py [1, {{'a': 2}}]\n"
    assert {path.suffix for path in (tmp_path / "yaml").iterdir() if path.is_file()} <= {".py", ".so"}


def test_what_stripping_breaks_is_put_back(tmp_path, slim, monkeypatch):
    origin, name = extension()
    folder = tmp_path / "site"
    folder.mkdir()
    shutil.copy(origin, folder / name)
    breaks = tmp_path / "strip"
    breaks.write_text('#!/bin/sh\nhead -c 5000 "$4" > "$3"\n')
    breaks.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert slim.strip(folder) == [folder / name]
    assert (folder / name).read_bytes() == origin.read_bytes()
    assert [path.name for path in folder.iterdir()] == [name]


def test_second_copies_of_a_library_in_its_folder_become_links(tmp_path, slim):
    for place, content in {"a/lib.so": b"x", "a/lib.so.2": b"x", "a/other.so": b"y", "b/lib.so": b"x"}.items():
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_bytes(content * slim.COPY_BYTES)
    (tmp_path / "a/small.so").write_bytes(b"x")
    assert slim.link_copies(tmp_path) == 1
    assert (tmp_path / "a/lib.so.2").readlink() == Path("lib.so")
    assert (tmp_path / "a/lib.so.2").read_bytes() == b"x" * slim.COPY_BYTES
    assert not (tmp_path / "b/lib.so").is_symlink()
