"""Media file to features to vectors to ranked tags, as bounded stages shared by every use."""
