"""DVC as a workspace uses it: how its program is called, and where it keeps objects; what is recorded with it belongs to the rooms around."""
