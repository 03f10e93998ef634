"""A network from anywhere as one object: a run, one of its members or steps, or a file of another framework.

`open(where)` gives a `Net`, which every picture, unit page, comparison and report takes, so that none of them knows
where the network came from.
"""

from cnnviz.networks.net import Net
from cnnviz.networks.prepare import Prepare
from cnnviz.networks.where import Where, open

__all__ = ["Net", "Prepare", "Where", "open"]
