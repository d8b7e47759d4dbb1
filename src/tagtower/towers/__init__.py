"""The two towers: encoders by modality, joining over time, fusion, and the model folder."""
