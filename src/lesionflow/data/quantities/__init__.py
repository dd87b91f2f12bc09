"""What numbers a quantity can have, Hounsfield units and standardized uptake values, and what is measured of a finding. No file and no series is known here."""
