"""Metrics of ranked tags and the report on them."""
