"""Nearest vectors: exact search, the oracle of every other."""
