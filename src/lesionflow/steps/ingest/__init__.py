"""The step `ingest`: studies of any layout into de-identified cases."""
