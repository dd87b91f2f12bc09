"""Promotions as people read them: a decision, the change plan as a document. How one is judged belongs to `evaluation.gate`."""
