"""Thin faces over the use cases: the command line and the Python class."""
