"""Scores, statistics, pictures and the report."""
