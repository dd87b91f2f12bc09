"""What the service writes into its log of requests: one line each, told apart by an id; nothing of a study, and nothing that a client could forge a line with."""
