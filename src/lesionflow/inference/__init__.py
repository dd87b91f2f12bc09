"""Bundle and volume in, mask out: the one path for evaluation, batch and serving."""
