"""The HTTP server: a face over the use cases of an installation."""
