"""A Keras model from its file, `.h5` or `.keras`."""
