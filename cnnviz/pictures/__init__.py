"""PICTURES: the kinds of picture that `visualize.py` draws, each a frozen dataclass whose fields are its options.

Calling a kind with networks and data returns pictures: `Kernels(layer="conv1")([net], data)`. Those in ON_REQUEST are
drawn only if they are named.
"""

PICTURES = {
    "layers": "cnnviz.pictures.layers:Layers",
    "kernels": "cnnviz.pictures.kernels:Kernels",
    "histograms": "cnnviz.pictures.histograms:Histograms",
    "activations": "cnnviz.pictures.activations:Activations",
    "responses": "cnnviz.pictures.responses:Responses",
    "attribute": "cnnviz.pictures.attribute:Attributions",
    "curves": "cnnviz.pictures.curves:Curves",
    "predictions": "cnnviz.pictures.predictions:Predictions",
    "predict": "cnnviz.pictures.predict:Predict",
    "evaluate": "cnnviz.pictures.evaluate:Evaluate",
    "compare": "cnnviz.pictures.compare:Compare",
    "units": "cnnviz.pictures.units:Units",
    "robustness": "cnnviz.pictures.robustness:Robustness",
    "film": "cnnviz.pictures.film:Film",
    "embed": "cnnviz.pictures.embed:Embed",
    "probe-accuracy": "cnnviz.pictures.probe_accuracy:ProbeAccuracy",
    "ablation": "cnnviz.pictures.ablation:Ablation",
}
ON_REQUEST = ("predict", "evaluate", "compare", "units", "robustness", "film", "embed", "probe-accuracy", "ablation")
# kinds that consist of parts, whose options are those of the kind too: where the parts are listed
GROUPS = {"compare": "cnnviz.pictures.compared:PARTS"}
