"""The step `plan`: measure the training cases and decide how to train. The decisions themselves belong to `planning`."""
