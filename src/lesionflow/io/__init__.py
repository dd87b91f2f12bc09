"""Reading and writing files: the only room but `steps` and `workspace` that knows paths. What is read becomes values of `data`."""
