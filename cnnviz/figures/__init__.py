"""Arrays in, matplotlib Figure out: knows numpy and matplotlib, nothing of models, and keeps no state of pyplot's."""
