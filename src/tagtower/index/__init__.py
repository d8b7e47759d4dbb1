"""Nearest vectors: exact search, the oracle of every other, and search over packed binary codes."""
