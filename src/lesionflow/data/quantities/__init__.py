"""What numbers a quantity can have: Hounsfield units, standardized uptake values. No file and no series is known here."""
