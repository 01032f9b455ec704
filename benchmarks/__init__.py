"""Every published figure of ours, one command each: `python -m benchmarks.NAME`. Figures land in `benchmarks/results/NAME.json`."""
