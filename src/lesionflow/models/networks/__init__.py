"""Whole networks, one kind a module, each with its `Architecture`; parts that several share lie one level above."""
