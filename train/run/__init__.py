"""What every training run shares: settings, workers, the loop, checkpoints, progress and trackers."""
