"""What a clinician reads of a model: its card, and of whom its data are. Only text of figures that others made; no figure is made here."""
