"""Arrays in, matplotlib Figure out: uses only NumPy and matplotlib, not pyplot, and knows nothing of models."""
