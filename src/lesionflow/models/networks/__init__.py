"""Whole networks, one kind a module; each declares its `Architecture`, and `models.ARCHITECTURES` finds it there."""
