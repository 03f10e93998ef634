"""Methods at a layer and maps by channel as options of any method's text: what is drawn, written and refused."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from test_pictures import DATA, make_run

from cnnviz.attribution import attribute as plain
from cnnviz.attribution import build
from cnnviz.attribution.methods import METHODS
from cnnviz.attribution.shapes import keeps_channels
from cnnviz.errors import InputError
from cnnviz.figures.scales import scales_of
from cnnviz.models.cnn import CNN
from cnnviz.pictures.attribute import Attributions, in_parts, probabilities
from cnnviz.pictures.attribution_page import Explained
from cnnviz.pictures.kept_channels import Kept


@pytest.fixture(scope="module")
def net():
    return make_run(CNN())


def drawn(net, methods, **options) -> Any:
    return Attributions(images="0:2", methods=methods, **options)([net], DATA)


def asked(net, method, pixels, **options) -> Any:
    images = net.prepare(pixels)
    classes = probabilities(net, images).argmax(-1)
    return np.asarray(plain(method, net.model, net.variables, images, classes, **options))


def test_kept_channels_are_the_largest_and_all_are_written(net):
    picture, other = drawn(net, "grad_cam:channels=keep;grad_cam:relu=False")
    numbers, label = picture.numbers, "grad_cam:channels=keep"
    every = numbers[f"{label}.relu2"][0]
    sizes = np.abs(every).sum((0, 1, 2))
    assert list(numbers[f"{label}.channels"]) == list(np.argsort(-sizes, kind="stable")[:8])
    of_library = asked(net, "grad_cam", numbers["images"], channels="keep")
    np.testing.assert_allclose(numbers[label][0], of_library[..., numbers[f"{label}.channels"]], atol=1e-7)
    np.testing.assert_allclose(every.sum(-1), other.numbers["grad_cam:relu=False.relu2"][0], atol=1e-6)
    assert numbers[label].shape == (1, 2, 28, 28, 8)
    assert picture.axes[label] == ("member", "image", "row", "column", "channel")
    assert picture.subject["method"] == [label]
    assert f"{label}: the 8 of {every.shape[-1]} channels of relu2 with the largest sum" in picture.caption
    assert "add up to the one without channels=keep, before its negative values are set to zero." in picture.caption
    assert "gap" not in picture.caption


def test_a_column_is_headed_by_its_method_channel_and_layer(net):
    first, second = drawn(net, "lrp:at=1,channels=keep;gradient:channels=keep;occlusion:at=relu1")
    first_names, second_names = (list(picture.draw.args[2]) for picture in (first, second))
    channels = first.numbers["lrp:at=1,channels=keep.channels"]
    assert first_names == [f"lrp:at=1\nchannel {channel}\nat relu1" for channel in channels]
    assert second_names == ["gradient\nchannel 0", "occlusion:at=relu1"]
    assert "gradient:channels=keep: the only channel of the image." in second.caption


@pytest.mark.parametrize("layer", ["relu1", "1", "r*1", "-10"])
def test_a_method_at_a_layer_is_that_of_the_library(net, layer):
    label = f"input_x_gradient:at={layer}"
    (picture,) = drawn(net, label)
    assert "relu1" == json.loads(str(picture.numbers["manifest"]))["methods"][label]["at"][0]
    expected = asked(net, "input_x_gradient", picture.numbers["images"], at="relu1")
    np.testing.assert_allclose(picture.numbers[label][0], expected, atol=1e-6)
    assert "Maps of a layer are upsampled bilinearly." in picture.caption


def test_options_of_a_method_at_a_layer_are_written(net):
    (picture,) = drawn(net, "occlusion:at=pool1,window=2,infill=data")
    (options,) = json.loads(str(picture.numbers["manifest"]))["methods"].values()
    assert (options["window"], options["infill"], options["at"]) == (2, "data", ["pool1"])


@pytest.mark.parametrize(
    ("methods", "text"),
    [
        ("gradient:at=relu9", "'relu9' is not a layer; did you mean 'relu"),
        ("gradient:at=conv*", r"One layer is needed here; 'conv\*' means 2: conv1, conv2."),
        ("gradient:at=logits", "The layer 'logits' has no sides .* no map of it; layers that have sides: conv1, relu1"),
        ("grad_cam:at=relu1", "name them as layers="),
        ("gradient:channels=kep", "'kep' is not a way to reduce channels; did you mean 'keep'"),
        ("eigen_cam:channels=keep", "eigen_cam:channels=keep: EigenCAM has one map of all channels; channels must be"),
        ("refine_cam:channels=keep", "RefineCAM has one map of all channels; channels must be sum"),
        ("layer_cam:channels=l2", "LayerCAM has one map of all channels; channels must be keep or sum"),
        ("layer_cam:layers=all,channels=keep", "cannot be fused: name one layer"),
        ("layer_cam:layers=(0,1),channels=keep", "draws the channels of one layer; .* looks at conv1, relu1"),
    ],
)
def test_what_has_no_such_map_is_said(net, methods, text):
    with pytest.raises(InputError, match=text) as raised:
        drawn(net, methods)
    assert str(raised.value).endswith(".")


def test_channels_of_several_seeds_are_not_averaged(net):
    two = replace(net, members=[*net.members, net.beginnings[0]], seeds=(3, 4))
    with pytest.raises(InputError, match=r"those of other seeds do not correspond to them; choose one by --member \(3"):
        drawn(two, "grad_cam:channels=keep")
    (picture,) = drawn(two, "gradient:channels=keep")
    assert list(picture.draw.args[2]) == ["gradient\nchannel 0", "gradient\nchannel 0\nsd of 2 seeds"]


def test_other_pictures_have_one_map_per_method(net):
    built = Attributions(methods="occlusion:at=relu1,window=3").built(net, DATA)
    assert [getattr(method, "layer", None) for method in built.values()] == ["relu1"]
    with pytest.raises(InputError, match="gradient:channels=keep: channels is an option of methods in attribute"):
        Attributions(methods="gradient:channels=keep").built(net, DATA)


def test_augmented_maps_by_channel_are_the_mean_over_copies(net):
    (picture,) = drawn(net, "grad_cam:channels=keep", augment=True)
    (summed,) = drawn(net, "grad_cam:relu=False", augment=True)
    assert picture.numbers["grad_cam:channels=keep"].shape[-1] == 8
    assert summed.numbers["grad_cam:relu=False"].shape == (1, 2, 28, 28)


def test_regions_are_of_each_channel(net):
    pytest.importorskip("skimage")
    (picture,) = drawn(net, "grad_cam:channels=keep", regions=True)
    values = picture.numbers["grad_cam:channels=keep"][0, 0, ..., 0]
    assert values.shape == (28, 28)
    assert len(np.unique(values)) < 784


def test_every_method_says_whether_it_keeps_channels():
    keeping = {name for name in METHODS if keeps_channels(build(name))}
    assert {"grad_cam", "score_cam", "layer_cam", "fem", "gradient", "lrp", "occlusion", "layer_conductance"} <= keeping
    assert not keeping & {"eigen_cam", "eigen_grad_cam", "kpca_cam", "refine_cam", "attention_rollout"}


def test_channels_of_a_method_share_the_sign_of_their_scale_and_with_shared_the_scale(net):
    maps = np.stack([np.full((1, 2, 2), -1.0), np.full((1, 2, 2), 2.0)], -1)
    assert scales_of(maps[..., 1])[0].low == 0 > scales_of(maps[..., 1], maps)[0].low
    (picture,) = drawn(net, "grad_cam:channels=keep", scale="shared")
    columns = picture.draw.args[2].values()
    assert len({tuple(column.scales) for column in columns}) == 1
    assert "each column on its own scale, all channels of a method on one" in picture.caption


def test_the_channels_of_a_method_stay_on_one_page():
    method, maps = build("gradient"), np.zeros((1, 1, 2, 2))

    def of(count):
        if count == 1:
            return Explained(method, maps, {}, None)
        parts = {"channels": np.arange(count), "count": count}
        return Kept(method=method, maps=np.stack([maps] * count, -1), layers={}, gap=None, **parts)

    parts = in_parts({name: of(count) for name, count in {"a": 1, "b": 8, "c": 7, "d": 1}.items()})
    assert [list(part) for part in parts] == [["a", "c"], ["b"], ["d"]]
