"""EXPORTS: writers of networks in the formats of other libraries, by the format's name, which is the file's suffix.

A writer is a function `(net, path, facts)` that writes the file, with the facts inside if the format has a place for
them, and returns what a reader of the file must know. `export` calls it.
"""

from cnnviz.networks.export.export import export

EXPORTS = {
    "keras": "cnnviz.networks.export.keras:write",
    "onnx": "cnnviz.networks.export.onnx:write",
    "safetensors": "cnnviz.networks.export.arrays:write_safetensors",
    "stablehlo": "cnnviz.networks.export.stablehlo:write",
    "msgpack": "cnnviz.networks.export.arrays:write_msgpack",
}

__all__ = ["EXPORTS", "export"]
