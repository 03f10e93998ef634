"""Reading Keras models from `.h5` and `.keras` files."""
