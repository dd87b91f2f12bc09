"""Processes that compute studies, so that one can be ended at any moment and take nothing with it. Which model is asked is not decided here."""
