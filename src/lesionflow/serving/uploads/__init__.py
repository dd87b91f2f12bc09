"""From a request to a study on disk: multipart, archives, which part is which channel. What is in a study belongs to `io`."""
