"""The commands around a promotion: the change plan, and the last lines that say what was decided. What is decided belongs to `steps.promote`."""
