"""Translates Keras 1's layer descriptions to Keras 2, which renamed layers and fields without changing them."""

from collections.abc import Mapping
from typing import Any

KINDS = {"Convolution2D": "Conv2D"}
FIELDS = {
    "nb_filter": "filters",
    "output_dim": "units",
    "subsample": "strides",
    "border_mode": "padding",
    "bias": "use_bias",
    "p": "rate",
}
CHANNELS = {"tf": "channels_last", "th": "channels_first"}


def in_terms_of_keras2(kind: str, config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The layer's class and fields with Keras 2's names; names of Keras 2 are left unchanged."""
    renamed = {FIELDS.get(key, key): value for key, value in config.items()}
    if "nb_row" in config and "nb_col" in config:
        renamed["kernel_size"] = [config["nb_row"], config["nb_col"]]
    if "dim_ordering" in config:
        renamed["data_format"] = CHANNELS.get(str(config["dim_ordering"]), config["dim_ordering"])
    padding = config.get("padding")
    if isinstance(padding, list) and len(padding) == 4:
        renamed["padding"] = [padding[:2], padding[2:]]
    return KINDS.get(kind, kind), renamed
