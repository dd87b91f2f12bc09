"""Who may ask the service for what: hosts, keys, a policy for each route. What a route does with a request belongs beside it, not here."""
