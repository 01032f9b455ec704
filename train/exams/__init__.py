"""Figures on data that a model has not seen, with intervals, and what they must reach."""
