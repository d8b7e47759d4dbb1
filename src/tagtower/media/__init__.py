"""The only door to PyAV: probing, sampling frames, reading sound, writing clips, isolation in a child process."""
