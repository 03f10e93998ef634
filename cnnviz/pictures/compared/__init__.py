"""PARTS: what `compare` draws, each a frozen dataclass whose fields are its options.

A part is called with all networks, data and a report, like a kind of picture; a network may have several members, and
the part decides what it makes of them. It raises Skipped, with a sentence, where it does not apply.
"""

PARTS = {
    "settings": "cnnviz.pictures.compared.settings:Settings",
    "training": "cnnviz.pictures.compared.training:Training",
    "performance": "cnnviz.pictures.compared.performance:Performance",
    "classes": "cnnviz.pictures.compared.classes:Classes",
    "calibration": "cnnviz.pictures.compared.calibration:Calibration",
    "disagreements": "cnnviz.pictures.compared.disagreements:Disagreements",
    "churn": "cnnviz.pictures.compared.churn:Churn",
    "weights": "cnnviz.pictures.compared.weights:Weights",
    "matching": "cnnviz.pictures.compared.matching:Matching",
    "path": "cnnviz.pictures.compared.path:Path",
    "similarity": "cnnviz.pictures.compared.similarity:Similarity",
    "agreement": "cnnviz.pictures.compared.agreement:Agreement",
}
