"""Reading and writing files: the only room but `steps` that knows paths."""
