"""The history of the schema, one step a file, the same on SQLite and PostgreSQL."""
