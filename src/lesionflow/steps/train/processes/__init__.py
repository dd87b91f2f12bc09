"""Several processes that train one network: how they find one another, and what one of them does that does not lead."""
