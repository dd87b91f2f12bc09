"""Contours of structure sets."""

from faults.corpus.fault import Fault

FAULTS: tuple[Fault, ...] = ()
