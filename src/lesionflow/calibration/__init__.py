"""What validation cases fit after training: mask rules, temperature, confidence, the backend. Applying it belongs to `inference`."""
