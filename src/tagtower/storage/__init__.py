"""Files: atomic writes and content hashes."""
