"""The training loop: the only pytorch_lightning."""
