"""From preprocessed cases to the batches of a training step. The loop itself lies one level above."""
