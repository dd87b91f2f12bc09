"""Reading and writing files and their formats. What is read becomes values of `data`; what is decided of it belongs above, and no network is here."""
