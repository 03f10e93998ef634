"""Training: the compiled step, the loop around it, and the recipe of hyperparameters."""
