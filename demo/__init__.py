"""The sample shop: what `make demo` starts with. Made by this project, so that it can be copied freely."""
