"""The project store: what a step goes on from, kept under one prefix for pods that begin empty. What the kept files mean belongs to `stores`."""
