"""Manifest to model folder: examples, splits, mining, losses, the training loop."""
