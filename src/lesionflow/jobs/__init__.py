"""Accepted work in a database: a row a job, claimed under a lease, so that none is lost and none ends twice; and who may hand it in and ask for it. What the work is belongs to its caller."""
