"""What this machine has: whether a study fits it, told from headers, and which faults are its own. What is in a study belongs to `io`."""
