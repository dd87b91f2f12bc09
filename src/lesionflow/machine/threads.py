"""How many threads libraries start: they count the cores of the machine, and those that a quota leaves are fewer."""

import os
from collections.abc import MutableMapping

from lesionflow.config.control_groups import usable_cores

#: What each library reads when it is loaded, and the programs that we call: OpenMP (torch, scikit-learn), OpenBLAS (numpy, scipy), ITK, Blosc,
#: numexpr, loky.
VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    "BLOSC_NTHREADS",
    "NUMEXPR_MAX_THREADS",
    "LOKY_MAX_CPU_COUNT",
)


def limit_library_threads(environment: MutableMapping[str, str] = os.environ) -> None:
    """Tell libraries that are not loaded yet, and the programs started from here, the cores of a container with a quota.

    Without a quota nothing is set: libraries see for themselves what a process is bound to. What somebody has set stays.

    Args:
        environment: Where they read it.
    """
    cores = usable_cores()
    if cores < len(os.sched_getaffinity(0)):
        for name in VARIABLES:
            environment.setdefault(name, str(cores))
