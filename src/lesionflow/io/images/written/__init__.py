"""Masks as other programs want them: with the names and colors of what they hold. How such files are read does not stand here."""
