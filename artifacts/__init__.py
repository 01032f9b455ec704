"""Model and index directories: their cards, hashes and versions. The ground floor: imports nothing of the project."""
