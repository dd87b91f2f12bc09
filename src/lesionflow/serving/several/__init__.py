"""Further models beside the main one: what they are called, who of them is meant, how each stands. How one model is loaded and followed is not said here."""
