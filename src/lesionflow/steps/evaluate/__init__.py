"""The step `evaluate`: score the candidate on the locked test cases, and show what was found."""
