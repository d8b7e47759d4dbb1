"""The video library: what was handed in and by whom, and how it is found again. It knows no media and no models."""
