"""The names that torchvision, timm and other authors give the modules of the networks in `cnnviz.models`.

A table maps a module's name in PyTorch to its path in Flax, or a single array's name to that of a variable. A layout
makes the table for a model; `LAYOUTS` has those of each class of models.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import Any, TypeVar

Table = Mapping[str, str]
T = TypeVar("T")
Layout = Callable[[Any], Table]
Block = Callable[[int, int, int], tuple[str, Table]]  # from its number in all, its stage's and its own there, from 0


def _blocks(counts: Sequence[int], block: Block) -> dict[str, str]:
    """The table of all blocks; `block` gives the name of one in PyTorch, and the table of its parts."""
    table, number = {}, 0
    for stage, count in enumerate(counts):
        for i in range(count):
            theirs, parts = block(number, stage, i)
            table |= {f"{theirs}.{part}": f"stage{stage + 1}_block{i + 1}/{path}" for part, path in parts.items()}
            number += 1
    return table


def _vgg(model: Any, end: Table) -> Table:
    """Convolutions, BatchNorm, ReLU and max-pooling are one list."""
    table, place = {}, 0
    for stage, convolutions in enumerate(model.convolutions, 1):
        for i in range(1, convolutions + 1):
            table[f"features.{place}"] = f"conv{stage}_{i}"
            if model.norm:
                table[f"features.{place + 1}"] = f"norm{stage}_{i}"
            place += 3 if model.norm else 2
        place += 1
    return {**table, **end}


def vgg_torchvision(model: Any) -> Table:
    """torchvision's VGG."""
    return _vgg(model, {"classifier.0": "dense1", "classifier.3": "dense2", "classifier.6": "logits"})


def vgg_timm(model: Any) -> Table:
    """timm's VGG, whose dense layers are convolutions of 7x7 and of 1x1."""
    return _vgg(model, {"pre_logits.fc1": "dense1", "pre_logits.fc2": "dense2", "head.fc": "logits"})


def residual(model: Any) -> Table:
    """torchvision's and timm's ResNet."""
    parts = {"downsample.0": "shortcut", "downsample.1": "shortcut_norm"}
    parts |= {f"conv{i}": f"conv{i}" for i in (1, 2, 3)} | {f"bn{i}": f"norm{i}" for i in (1, 2, 3)}
    block = lambda number, stage, i: (f"layer{stage + 1}.{i}", parts)
    return {"conv1": "conv1", "bn1": "norm1", "fc": "logits", **_blocks(model.blocks, block)}


MOBILE = ("expand", "expand_norm", "depthwise", "depthwise_norm", "project", "project_norm")


def _mobile(model: Any, name: Callable[[int, int, int], str], plain: str, expanding: str) -> Table:
    """The table of all blocks, from the names of the parts of one that does not expand, and of one that does."""
    parts: dict[bool, Table] = {False: dict(zip(plain.split(), MOBILE[2:], strict=True))}
    parts[True] = dict(zip(expanding.split(), MOBILE, strict=True))
    block = lambda number, stage, i: (name(number, stage, i), parts[model.stages[stage].expansion > 1])
    return _blocks([stage.blocks for stage in model.stages], block)


def mobilenet_torchvision(model: Any) -> Table:
    """torchvision's MobileNetV2, whose convolutions are lists with their BatchNorm, but for the last of a block."""
    plain, expanding = "conv.0.0 conv.0.1 conv.1 conv.2", "conv.0.0 conv.0.1 conv.1.0 conv.1.1 conv.2 conv.3"
    last = 1 + sum(stage.blocks for stage in model.stages)
    ends = {"features.0.0": "conv1", "features.0.1": "norm1", "classifier.1": "logits"}
    ends |= {f"features.{last}.0": "conv2", f"features.{last}.1": "norm2"}
    return {**ends, **_mobile(model, lambda number, stage, i: f"features.{number + 1}", plain, expanding)}


def mobilenet_timm(model: Any) -> Table:
    """timm's MobileNetV2 and EfficientNet-Lite."""
    plain, expanding = "conv_dw bn1 conv_pw bn2", "conv_pw bn1 conv_dw bn2 conv_pwl bn3"
    ends = {"conv_stem": "conv1", "bn1": "norm1", "conv_head": "conv2", "bn2": "norm2", "classifier": "logits"}
    return {**ends, **_mobile(model, lambda number, stage, i: f"blocks.{stage}.{i}", plain, expanding)}


def efficientnet_pytorch(model: Any) -> Table:
    """EfficientNet-Lite in the packages efficientnet_pytorch and efficientnet_lite_pytorch."""
    plain = "_depthwise_conv _bn1 _project_conv _bn2"
    ends = {"_conv_stem": "conv1", "_bn0": "norm1", "_conv_head": "conv2", "_bn1": "norm2", "_fc": "logits"}
    return {**ends, **_mobile(model, lambda number, stage, i: f"_blocks.{number}", plain, f"_expand_conv _bn0 {plain}")}


NEXT = ("depthwise", "norm", "expand", "project", "layer_scale")


def _next(model: Any, reduce: Callable[[int], str], block: Callable[[int, int], str], parts: str) -> Table:
    """The blocks, and the layers that reduce the resolution between stages."""
    names = dict(zip(parts.split(), NEXT, strict=True))
    table = _blocks(model.blocks, lambda number, stage, i: (block(stage, i), names))
    for stage in range(1, len(model.blocks)):
        table |= {f"{reduce(stage)}.0": f"reduce{stage + 1}_norm", f"{reduce(stage)}.1": f"reduce{stage + 1}"}
    return table


def convnext_torchvision(model: Any) -> Table:
    """torchvision's ConvNeXt, a list in which stages and the layers between them alternate."""
    ends = {"features.0.0": "conv1", "features.0.1": "norm1", "classifier.0": "norm2", "classifier.2": "logits"}
    block = lambda stage, i: f"features.{2 * stage + 1}.{i}"
    parts = "block.0 block.2 block.3 block.5 layer_scale"
    return {**ends, **_next(model, lambda stage: f"features.{2 * stage}", block, parts)}


def convnext_timm(model: Any) -> Table:
    """timm's ConvNeXt."""
    ends = {"stem.0": "conv1", "stem.1": "norm1", "head.norm": "norm2", "head.fc": "logits"}
    block = lambda stage, i: f"stages.{stage}.blocks.{i}"
    parts = "conv_dw norm mlp.fc1 mlp.fc2 gamma"
    return {**ends, **_next(model, lambda stage: f"stages.{stage}.downsample", block, parts)}


def convnext_authors(model: Any) -> Table:
    """ConvNeXt in its authors' repository, facebookresearch/ConvNeXt."""
    ends = {"downsample_layers.0.0": "conv1", "downsample_layers.0.1": "norm1", "norm": "norm2", "head": "logits"}
    block, parts = lambda stage, i: f"stages.{stage}.{i}", "dwconv norm pwconv1 pwconv2 gamma"
    return {**ends, **_next(model, lambda stage: f"downsample_layers.{stage}", block, parts)}


LAYOUTS: Mapping[str, Sequence[Layout]] = {
    "cnnviz.models.vgg.VGG": (vgg_torchvision, vgg_timm),
    "cnnviz.models.residual.ResidualNetwork": (residual,),
    "cnnviz.models.mobilenet.MobileNet": (mobilenet_torchvision, mobilenet_timm, efficientnet_pytorch),
    "cnnviz.models.convnext.ConvNeXt": (convnext_torchvision, convnext_timm, convnext_authors),
}


def part_of(state: Mapping[str, T], model: Any) -> dict[str, T]:
    """The arrays whose names begin with `prefix_of`, without it."""
    prefix = prefix_of(state, model)
    return {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}


def prefix_of(state: Iterable[str], model: Any) -> str:
    """What a checkpoint puts before the names of the model's layouts, as "backbone."; empty where that is not clear.

    It is that which stands before most of them, unless another does as often: a teacher and a student.
    """
    known = {name for layout in layouts_of(model) for name in layout(model)}
    counts = Counter(prefix for name in state for prefix in _before(name.rpartition(".")[0], known))
    most = [prefix for prefix, count in counts.items() if count == max(counts.values())]
    return most[0] if len(most) == 1 else ""


def _before(module: str, known: Set[str]) -> Iterator[str]:
    """What stands before each known module's name that the name ends with."""
    parts = module.split(".")
    ends = (".".join(parts[i:]) for i in range(len(parts)))
    return (module.removesuffix(end) for end in ends if end in known)


def classes_in(state: Mapping[str, Any], model: Any) -> int | None:
    """The number of classes that a state dict's last layer has; None if it has not the names of one of the layouts."""
    state = part_of(state, model)
    last = [name for layout in layouts_of(model) for name, path in layout(model).items() if path == "logits"]
    return next((len(state[f"{name}.bias"]) for name in last if f"{name}.bias" in state), None)


def layouts_of(model: Any) -> Sequence[Layout]:
    """The layouts of the model's class; none for a class that is not in `LAYOUTS`."""
    return LAYOUTS.get(f"{type(model).__module__}.{type(model).__qualname__}", ())
