"""A report: one HTML file with pictures, in which the network itself runs."""
