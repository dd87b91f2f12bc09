"""Checks of cases and of the case table."""
