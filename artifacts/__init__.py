"""Model and index directories: their cards and hashes. The ground floor: imports nothing of the project."""
