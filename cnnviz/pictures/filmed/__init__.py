"""FILMS: what a film can be of, each a function of (what was asked, network, its steps, data, report) -> Picture."""

FILMS = {
    "kernels": "cnnviz.pictures.filmed.weights:kernels",
    "histograms": "cnnviz.pictures.filmed.weights:histograms",
    "activations": "cnnviz.pictures.filmed.images:activations",
    "attributions": "cnnviz.pictures.filmed.images:attributions",
    "similarity": "cnnviz.pictures.filmed.similar:similarity",
    "units": "cnnviz.pictures.filmed.similar:units",
    "classes": "cnnviz.pictures.filmed.similar:classes",
    "loss": "cnnviz.pictures.filmed.loss:loss",
}
