"""What a person asks for, as plain functions."""
