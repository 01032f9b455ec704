"""Training runs, one file per command, all launched on Ray Train by `train.job`: `python -m train.<model> [--config FILE]`. What they are
made of lies in the packages, of which each may use those below it: sweeps; writing, pictures and shoppers; texts; exams; run; reports."""
