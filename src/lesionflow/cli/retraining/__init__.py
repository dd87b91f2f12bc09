"""`lesionflow retrain` and `state`: training anew, and what all who train a model share. What is done belongs to `workspace` and `steps`, never here."""
