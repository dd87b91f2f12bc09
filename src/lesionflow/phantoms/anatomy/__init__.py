"""What a synthetic patient is made of: shapes, tissues, tumors. How it is scanned and written lies outside."""
