"""Figures that compare a predicted with a reference mask."""
