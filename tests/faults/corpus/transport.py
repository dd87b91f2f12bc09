"""Bytes that were harmed on the way, and headers that would cost too much."""

from faults.corpus.fault import Fault

FAULTS: tuple[Fault, ...] = ()
