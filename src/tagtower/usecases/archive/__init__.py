"""The parts of tagging an archive without labels; `usecases/start.py` puts them together."""
