"""Changing the tag library: each change has an author and a number, is a plan first, and can be undone."""
