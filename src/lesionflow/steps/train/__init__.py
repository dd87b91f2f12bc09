"""The step `train`, from its inputs to the bundle. The loop over batches belongs to `training`."""
