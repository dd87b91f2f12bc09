"""Whether studies can be taken, segmented and kept, each thing that it needs looked at by itself. What is done about it is not decided here."""
