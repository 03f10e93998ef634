"""How many images a picture can show within minutes, if its network is large."""

from cnnviz import probe
from cnnviz.batching import of_backend
from cnnviz.networks import Net

# Multiplications that one picture may cost, on CPU (some minutes on two cores) and elsewhere.
MOST = 1e13, 1e15


def affordable(net: Net, images: int, passes: int = 1) -> int:
    """How many of the images can be shown, at least one, if each takes `passes` evaluations of the network."""
    each = passes * max(1, probe.products(net.model, net.variables, net.takes))
    return max(1, min(images, int(of_backend(*MOST) / each)))
