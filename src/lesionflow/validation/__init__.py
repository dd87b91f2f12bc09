"""Checks of the case table, and what failing them means; who is in the table, and its columns, belong to `cohort`.

Great Expectations judges; what it finds fails the run or quarantines cases.
"""

import logging
import os

# Both count when great_expectations is imported: it calls home, and tells hundreds of lines of itself.
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
logging.getLogger("great_expectations").setLevel(logging.WARNING)
