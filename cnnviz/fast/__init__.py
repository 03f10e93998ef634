"""The same values, sooner: delete this folder and every result stays."""
