"""From a request to a study on disk: multipart, archives, which part is which channel."""
