"""Classifiers of texts and what they learn from: labelled texts, pairs, filled pieces of the copybook."""
