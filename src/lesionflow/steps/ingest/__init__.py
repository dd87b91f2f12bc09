"""The step `ingest`: studies of any layout into de-identified cases. How a layout or file is read belongs to `io`."""
