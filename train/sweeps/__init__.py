"""Sweeps over settings: what is tried, the trials, and their table."""
