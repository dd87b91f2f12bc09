"""The changes of the table of jobs, a module each, by number; what the code asks of the table lies in `jobs.tables`."""
