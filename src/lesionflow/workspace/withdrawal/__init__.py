"""A patient leaves: every byte in the workspace and its stores goes, or is named as what can't go. No other removal of data."""
