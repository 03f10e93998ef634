"""Networks from any source as one class: a run, one of its members or steps, or a file of another framework.

`open(where)` returns a `Net`, which all pictures take, so they do not depend on where the network came from.
"""

from cnnviz.interop.place import Where
from cnnviz.networks.build import as_options, build, check_outputs
from cnnviz.networks.fit import fit
from cnnviz.networks.net import Net
from cnnviz.networks.prepare import Prepare
from cnnviz.networks.pytorch import count_classes, left_out, published, pytorch_table
from cnnviz.networks.where import open

__all__ = [
    "Net",
    "Prepare",
    "Where",
    "as_options",
    "build",
    "check_outputs",
    "count_classes",
    "fit",
    "left_out",
    "open",
    "published",
    "pytorch_table",
]
