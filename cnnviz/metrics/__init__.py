"""Whether a map is true: one small file per metric, a function of a score, an image and its map."""
