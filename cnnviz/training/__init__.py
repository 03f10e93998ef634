"""Training: one compiled step, the loop around it, and the recipe that says how long and how fast."""
