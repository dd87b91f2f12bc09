"""Accepted work in a database: a row a job, claimed under a lease, so that none is lost and none ends twice. What the work is belongs to its caller."""
