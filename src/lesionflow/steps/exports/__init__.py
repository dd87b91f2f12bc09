"""What is said of a version and of its data in forms that other programs read: bill of materials, dataset metadata. No network runs here."""
