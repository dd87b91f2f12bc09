"""Networks that another program runs, in its own Python: how it is started, asked and ended. No file format of models belongs here (`io.exchange`)."""
