"""Pictures: palettes, depths, orientations."""

from faults.corpus.fault import Fault

FAULTS: tuple[Fault, ...] = ()
