"""Training runs, one file per model, all launched on Ray Train by `train.job`: `python -m train.<model> [--config FILE]`."""
