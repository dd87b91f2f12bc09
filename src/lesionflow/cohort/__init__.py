"""Who is in it: the case table, how patients are divided, copies among them, drift, what changed. No files, no networks."""
