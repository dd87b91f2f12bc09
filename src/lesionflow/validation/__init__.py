"""Checks of the case table; Great Expectations judges, and what it finds fails the run or quarantines cases."""
