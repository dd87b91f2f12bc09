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
#: How long a thread of GNU's OpenMP spins for the others, some hundred times in a network, before it sleeps; its own number is 300000. Where another program has a
#: core, the thread that is waited for is not even running: beside two busy programs on two cores a training step took 0.8 to 4.7 s, with this 0.6 to 0.7 s, and alone
#: 0.29 and 0.35 s against 0.28 and 0.34 s. Not to spin at all (`OMP_WAIT_POLICY=passive`) costs a fifth of them alone.
SPINS, POLICY = ("GOMP_SPINCOUNT", "3000"), "OMP_WAIT_POLICY"


def limit_library_threads(environment: MutableMapping[str, str] = os.environ) -> None:
    """Tell libraries that are not loaded yet, and the programs started from here, the cores of a container with a quota, and to sleep soon while they wait.

    Without a quota no number is set: libraries see for themselves what a process is bound to. What somebody has set stays.

    Args:
        environment: Where they read it.
    """
    if POLICY not in environment:
        environment.setdefault(*SPINS)
    cores = usable_cores()
    if cores < len(os.sched_getaffinity(0)):
        for name in VARIABLES:
            environment.setdefault(name, str(cores))
