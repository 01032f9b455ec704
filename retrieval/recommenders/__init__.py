"""Recommenders: one file each, one contract (`contract.py`), one dict (`registry.py`). Trained by `python -m train.recommender`."""
