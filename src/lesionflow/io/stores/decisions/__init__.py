"""Decisions of the gate on disk. The ledger, which keeps them for good, belongs to `io.stores.ledger`."""
