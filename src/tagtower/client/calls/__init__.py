"""The calls of a client, a module for each part of the API."""
