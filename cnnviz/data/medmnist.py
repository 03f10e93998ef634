"""MedMNIST's two-dimensional sets with one label per image, each in one `.npz` file.

Yang et al., "MedMNIST v2 - A large-scale lightweight benchmark for 2D and 3D biomedical image classification", 2023.
The checksums and the names of the classes are those in the package medmnist.
"""

from collections.abc import Sequence
from pathlib import Path

from cnnviz.data import npz
from cnnviz.data.dataset import Dataset
from cnnviz.data.published import Published
from cnnviz.data.search import Known

URL = "https://zenodo.org/records/10519652/files/{}?download=1"
ORGANS = (
    "bladder",
    "femur-left",
    "femur-right",
    "heart",
    "kidney-left",
    "kidney-right",
    "liver",
    "lung-left",
    "lung-right",
    "pancreas",
    "spleen",
)
# MD5, channels and classes of each
FACTS = {
    "pathmnist": (
        "a8b06965200029087d5bd730944a56c1",
        3,
        (
            "adipose",
            "background",
            "debris",
            "lymphocytes",
            "mucus",
            "smooth muscle",
            "normal colon mucosa",
            "cancer-associated stroma",
            "colorectal adenocarcinoma epithelium",
        ),
    ),
    "dermamnist": (
        "0744692d530f8e62ec473284d019b0c7",
        3,
        (
            "actinic keratoses and intraepithelial carcinoma",
            "basal cell carcinoma",
            "benign keratosis-like lesions",
            "dermatofibroma",
            "melanoma",
            "melanocytic nevi",
            "vascular lesions",
        ),
    ),
    "octmnist": (
        "c68d92d5b585d8d81f7112f81e2d0842",
        1,
        ("choroidal neovascularization", "diabetic macular edema", "drusen", "normal"),
    ),
    "pneumoniamnist": ("28209eda62fecd6e6a2d98b1501bb15f", 1, ("normal", "pneumonia")),
    "retinamnist": ("bd4c0672f1bba3e3a89f0e4e876791e4", 3, tuple("01234")),
    "breastmnist": ("750601b1f35ba3300ea97c75c52ff8f6", 1, ("malignant", "normal, benign")),
    "bloodmnist": (
        "7053d0359d879ad8a5505303e11de1dc",
        3,
        (
            "basophil",
            "eosinophil",
            "erythroblast",
            "immature granulocytes",
            "lymphocyte",
            "monocyte",
            "neutrophil",
            "platelet",
        ),
    ),
    "tissuemnist": (
        "ebe78ee8b05294063de985d821c1c34b",
        1,
        (
            "collecting duct, connecting tubule",
            "distal convoluted tubule",
            "glomerular endothelial cells",
            "interstitial endothelial cells",
            "leukocytes",
            "podocytes",
            "proximal tubule segments",
            "thick ascending limb",
        ),
    ),
    "organamnist": ("68e3f8846a6bd62f0c9bf841c0d9eacc", 1, ORGANS),
    "organcmnist": ("b9ceb9546e10131b32923c5bbeaea2b1", 1, ORGANS),
    "organsmnist": ("9ab87b696fb54e2a387ebe992d6ed5f1", 1, ORGANS),
}


def _read(name: str, files: Sequence[Path]) -> Dataset:
    return npz.read(files[0], name, FACTS[name][2])


def _published(name: str) -> Published:
    digest, channels, classes = FACTS[name]
    return Published(
        name=name,
        classes=classes,
        folders=("", "medmnist", "MedMNIST", ".medmnist"),
        url=URL,
        digests={f"{name}.npz": digest},
        files=(f"{name}.npz",),
        shape=(28, 28, channels),
        read=_read,
    )


PUBLISHED = {name: _published(name) for name in FACTS}
bloodmnist, breastmnist, dermamnist, octmnist, organamnist, organcmnist, organsmnist = (
    Known(PUBLISHED[name]) for name in sorted(FACTS)[:7]
)
pathmnist, pneumoniamnist, retinamnist, tissuemnist = (Known(PUBLISHED[name]) for name in sorted(FACTS)[7:])
