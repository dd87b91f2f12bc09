"""What is told of the service to those who write clients: OpenAPI and a page of it. What is done on a request belongs to the routes, never here."""
