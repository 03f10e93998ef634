"""What each unit of a network responds to over a data set: folds, and the functions that read them."""
