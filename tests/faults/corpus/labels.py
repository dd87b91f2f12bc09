"""Names and structure of labels, which decide before numbers do."""

from faults.corpus.fault import Fault

FAULTS: tuple[Fault, ...] = ()
