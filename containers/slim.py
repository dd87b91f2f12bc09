"""Makes an environment small before it becomes a layer: `python slim.py SITE_PACKAGES MODULE...`.

Only what no import needs goes: tests, headers and example pictures of libraries, OpenVINO's plugins for other devices and its readers of other
formats, Arrow's Flight (an RPC), botocore's descriptions of services that are no store, symbols that linking alone needs, second copies of a library.
Where auditwheel has moved sections, strip may break a file (numpy's OpenBLAS): what could be loaded before and can't be afterwards is put back.
Bytecode is kept for what the modules load, by hash and not by time, so that a read-only container starts fast and layers are the same again.
"""

import hashlib
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
    "pyarrow/include", "pyarrow/tests", "pyarrow/lib*_flight.*", "pyarrow/_flight.*", "numpy/_core/include", "mlflow/server/js/build/**/*.map",
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
#: Of `skimage/data`, examples.
PICTURES = {".png", ".jpg", ".tif", ".gif", ".npy", ".npz", ".xml"}
#: Of `botocore/data`, what S3 and its credentials ask for; files stay.
STORES = ("s3", "sts", "sso", "sso-oidc", "signin")
#: Extension modules, and the largest libraries that are none. Shared libraries of wheels have few symbols, and break most.
STRIPPED = (
    "**/*.cpython-*.so",
    "**/*.abi3.so",
    "torch/lib/libtorch_cpu.so",
    "torch/lib/libtorch_python.so",
    "torch/lib/libc10.so",
)
#: Smaller ones are left as they are.
COPY_BYTES = 100_000
LOADS = "import ctypes, os, sys; ctypes.CDLL(sys.argv[1], os.RTLD_NOW)"
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
    for path in sorted((site / "skimage/data").glob("*")):
        if path.suffix in PICTURES:
            remove(path)
    for path in sorted((site / "botocore/data").glob("*")):
        if path.is_dir() and path.name not in STORES:
            remove(path)
    for path in sorted(site.parent.rglob("__pycache__")):
        remove(path)


def loads(path: Path) -> bool:
    """Tell whether a shared library can be loaded, in a process of its own."""
    command = [sys.executable, "-S", "-c", LOADS, str(path)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0  # noqa: S603


def strip(site: Path) -> list[Path]:
    """Remove symbols that linking, and no running, needs; return what broke and was put back."""
    kept = []
    for path in sorted({found for pattern in STRIPPED for found in site.glob(pattern) if not found.is_symlink()}):
        before, smaller = loads(path), path.with_name(f"{path.name}.stripped")
        whole = path.with_name(f"{path.name}.whole")
        subprocess.run(["strip", "--strip-unneeded", "-o", str(smaller), str(path)], check=True)  # noqa: S603, S607
        shutil.copymode(path, smaller)
        path.rename(whole)
        smaller.rename(path)
        if before and not loads(path):
            whole.rename(path)
            kept.append(path)
        whole.unlink(missing_ok=True)
    return kept


def link_copies(site: Path) -> int:
    """Make libraries that are in one folder twice, as wheels hold no links, one file and links to it; return how many links."""
    seen: dict[tuple[Path, str], Path] = {}
    n_links = 0
    for path in sorted(site.rglob("*.so*")):
        if path.is_symlink() or not path.is_file() or path.stat().st_size < COPY_BYTES:
            continue
        key = (path.parent, hashlib.sha256(path.read_bytes()).hexdigest())
        first = seen.setdefault(key, path)
        if first is not path:
            path.unlink()
            path.symlink_to(first.name)
            n_links += 1
    return n_links


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
    kept = [path.name for path in strip(site)]
    sys.stdout.write(f"symbols kept of {', '.join(kept) or 'none'}; {link_copies(site)} copies linked\n")
    sys.stdout.write(f"{compile_loaded(site, arguments[1:])} modules compiled\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
