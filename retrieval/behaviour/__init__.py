"""Behaviour: events cleaned, then sessions, features of shoppers and products, segments and rules, by `python -m retrieval.portrait`."""
