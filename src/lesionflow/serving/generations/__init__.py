"""Models being served, one after another: brought beside the old one, switched to, given up again. What a study becomes is not said here."""
