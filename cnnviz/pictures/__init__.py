"""PICTURES: the kinds of picture that `visualize.py` draws of a run, each by a module's `pictures(run, view)`."""

PICTURES = {
    "layers": "cnnviz.pictures.layers",
    "kernels": "cnnviz.pictures.kernels",
    "histograms": "cnnviz.pictures.histograms",
    "activations": "cnnviz.pictures.activations",
    "attribute": "cnnviz.pictures.attribute",
    "curves": "cnnviz.pictures.curves",
    "predictions": "cnnviz.pictures.predictions",
}
