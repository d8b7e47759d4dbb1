"""The tag library: tags, aliases, versions."""
