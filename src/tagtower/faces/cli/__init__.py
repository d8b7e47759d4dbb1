"""The command line: one module a command, each a thin face over one use case."""
