"""Run all benchmarks, or those named: `python -m benchmarks metrics ingest`."""

import os
import platform
import sys
from importlib import import_module

NAMES = (
    "metrics",
    "ingest",
    "validation",
    "training",
    "nuclei",
    "transfer",
    "inference",
    "confidence",
    "confidence_by_patient",
    "confidence_failures",
    "fuzz",
    "gate",
    "gate_constants",
    "phantoms",
    "scale",
    "many_files",
    "child_overhead",
    "service_load",
    "service_uploads",
    "service_slices",
)

if __name__ == "__main__":
    print(
        f"{platform.processor() or platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"
    )
    for name in sys.argv[1:] or NAMES:
        import_module(f"benchmarks.{name}").run()
