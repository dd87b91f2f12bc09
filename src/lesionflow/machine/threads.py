"""How many threads libraries start, and how these wait for one another: they count the cores of the machine, and take them for their own."""

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
#: OpenMP's threads wait for one another some hundred times in a network. GNU's spins meanwhile, and where another program has a core, the thread that is waited
#: for is not even running: a network beside two busy programs on two cores took twenty times its time, asleep less than twice.
WAITING = {"OMP_WAIT_POLICY": "passive"}


def limit_library_threads(environment: MutableMapping[str, str] = os.environ) -> None:
    """Tell libraries that are not loaded yet, and the programs started from here, the cores of a container with a quota, and to sleep while they wait.

    Without a quota no number is set: libraries see for themselves what a process is bound to. What somebody has set stays.

    Args:
        environment: Where they read it.
    """
    for name, value in WAITING.items():
        environment.setdefault(name, value)
    cores = usable_cores()
    if cores < len(os.sched_getaffinity(0)):
        for name in VARIABLES:
            environment.setdefault(name, str(cores))
