"""Commands that give to other programs and take from them: `export` and what is imported. What is given belongs to the rooms below, never here."""
