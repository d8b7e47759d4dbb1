"""Frames to pixels, sound to MFCC, text to tokens, and the store that keeps what was computed."""
