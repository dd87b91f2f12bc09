"""Names of files and folders: what is a mask, whose it is, which patient."""

from faults.corpus.fault import Fault

FAULTS: tuple[Fault, ...] = ()
