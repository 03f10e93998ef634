"""How networks differ: in weights, representations and answers; arrays in, rows out."""
