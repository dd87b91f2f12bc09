"""A model on its test cases: scores, statistics, comparison, gate, pictures and the report. Figures of one mask pair belong to `metrics`."""
