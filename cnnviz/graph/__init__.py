"""What a function computes, read from its jaxpr: a graph of primitives that knows no Flax."""

from cnnviz.graph.graph import Graph, Node, Value

__all__ = ["Graph", "Node", "Value"]
