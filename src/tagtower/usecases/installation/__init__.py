"""What people do with an installation: curate tags, hand in and find videos, label, compare models, keep it safe."""
