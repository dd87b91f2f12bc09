"""Commands about single patients: one leaves, or comes back. Nothing that is done to a cohort: that stands with `data`."""
