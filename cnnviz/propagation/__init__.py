"""A score's graph read backwards, with a rule for each primitive: guided backprop, LRP, DeepLIFT and their kin."""
