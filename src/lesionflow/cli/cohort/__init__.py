"""`lesionflow data`: studies are added, divided and withdrawn. It parses and prints; what a cohort is belongs to the room `cohort`, what is done to it to `workspace`, never here."""
