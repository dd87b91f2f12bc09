"""The changes of the tables of jobs, a module each, by number; what the code asks of the tables lies in `jobs.tables`."""
