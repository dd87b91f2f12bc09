"""Decisions of the gate, as they are kept and shown. How one is taken belongs to `evaluation.gate`."""
