"""From distances to the tags that are shown."""
