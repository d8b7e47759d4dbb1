"""The evaluation as one self-contained page: what it says, its plots, and the page itself."""
