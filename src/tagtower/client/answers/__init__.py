"""What the server answers, as frozen dataclasses. Times carry their zone; distances and scores are the model's."""
