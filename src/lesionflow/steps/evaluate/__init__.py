"""The step `evaluate`: score the candidate on the locked test cases, and show what was found. How scores are made belongs to `evaluation`."""
