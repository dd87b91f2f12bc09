"""Makes an environment small before it becomes a layer: `python slim.py SITE_PACKAGES MODULE...`.

Only what no import needs goes: tests and headers of libraries, OpenVINO's plugins for other devices and its readers of other formats, symbols of
the largest libraries. Not of all: where auditwheel has moved sections, strip breaks the file (numpy's OpenBLAS).
Bytecode is kept for what the modules load, by hash and not by time, so that a read-only container starts fast and layers are the same again.
"""

import py_compile
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

#: Below site-packages.
NEEDLESS = (
    "torch/test", "torch/include", "torch/share/cmake", "torch/bin/test_*", "torch/bin/*Test", "torch/bin/protoc*", "torch/bin/*.pt*",
    "torch/lib/*test*.so", "torch/lib/libbackend_with_compiler.so",
    "openvino/include", "openvino/cmake", "openvino/libs/*_gpu_plugin.so", "openvino/libs/*_npu_plugin.so", "openvino/libs/cache.json",
    "openvino/libs/*_onnx_frontend.*", "openvino/libs/*_tensorflow*", "openvino/libs/*_paddle*", "openvino/libs/*_gguf*", "openvino/libs/*_jax*",
    "pyarrow/include", "pyarrow/tests", "numpy/_core/include", "mlflow/server/js/build/**/*.map",
)  # fmt: skip
TESTED = (
    "pandas",
    "scipy",
    "numpy",
    "sklearn",
    "skimage",
    "nibabel",
    "sympy",
    "networkx",
    "matplotlib",
    "psutil",
    "tornado",
    "mlflow",
)
STRIPPED = (
    "torch/lib/libtorch_cpu.so", "torch/lib/libtorch_python.so", "SimpleITK/_SimpleITK*.so", "cryptography/hazmat/bindings/_rust*.so",
    "_libjpeg.*.so", "_CharLS.*.so", "_openjpeg.*.so", "stringzilla*.so",
)  # fmt: skip
LOADED = "import importlib, sys; [importlib.import_module(n) for n in sys.argv[1:]]; print(*(m.__file__ for m in list(sys.modules.values()) if getattr(m, '__file__', None)), sep='\\n')"


def remove(path: Path) -> None:
    """Remove a file or a folder."""
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def drop_needless(site: Path) -> None:
    """Remove what no import needs."""
    for pattern in NEEDLESS:
        for path in sorted(site.glob(pattern)):
            remove(path)
    for package in TESTED:
        for path in sorted((site / package).rglob("tests"), reverse=True):
            remove(path)
    for path in sorted(site.parent.rglob("__pycache__")):
        remove(path)


def strip(site: Path) -> None:
    """Remove symbols that linking, and no running, needs."""
    for path in sorted(found for pattern in STRIPPED for found in site.glob(pattern)):
        subprocess.run(["strip", "--strip-unneeded", str(path)], check=True)  # noqa: S603, S607


def compile_loaded(site: Path, modules: Iterable[str]) -> int:
    """Keep the bytecode of all that importing the modules loads; return how many files."""
    answer = subprocess.run([sys.executable, "-B", "-c", LOADED, *modules], check=True, capture_output=True, text=True)  # noqa: S603
    files = sorted(
        {line for line in answer.stdout.splitlines() if line.startswith(f"{site}/") and line.endswith(".py")}
    )
    for name in files:
        py_compile.compile(name, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    return len(files)


def main(arguments: list[str]) -> int:
    """Make SITE_PACKAGES small; keep the bytecode of the modules."""
    site = Path(arguments[0]).resolve()
    drop_needless(site)
    strip(site)
    sys.stdout.write(f"{compile_loaded(site, arguments[1:])} modules compiled\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
