"""How values flow from a graph's inputs: which depend on them, where branches part and meet, and who reads a value."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cnnviz.graph.graph import Graph, Node, Value


@dataclass(eq=False)
class Flow:
    """The flow from `sources` through a graph; `parent` is the last value through which all paths to a value go."""

    graph: Graph
    sources: Sequence[Value]
    depends: set[Value] = field(init=False)
    readers: dict[Value, list[Node]] = field(init=False)
    parent: dict[Value, Value | None] = field(init=False)

    def __post_init__(self):
        self.depends = set(self.sources)
        self.readers = defaultdict(list)
        self.parent = dict.fromkeys(self.sources)
        self._depth = dict.fromkeys(self.sources, 0)
        for node in self.graph.nodes:
            for value in dict.fromkeys(node.inputs):
                self.readers[value].append(node)
            if read := self.read(node):
                self._reach(node, read)

    def read(self, node: Node) -> list[Value]:
        """The node's inputs that depend on the sources, each once."""
        return [value for value in dict.fromkeys(node.inputs) if value in self.depends]

    def root(self, node: Node) -> Value | None:
        """The last value on every path from the sources to the node; None if there is none."""
        first, *others = self.read(node)
        root: Value | None = first
        for other in others:
            root = self._meeting(root, other)
        return root

    def between(self, root: Value, node: Node, passes: Callable[[Node], bool]) -> set[Node] | None:
        """The nodes on the paths from `root` to `node`, without it; None if one of them does not pass."""
        inside, wanted = set(), [value for value in self.read(node) if value is not root]
        while wanted:
            maker = self.graph.maker(wanted.pop())
            if maker is None or not passes(maker):
                return None
            if maker not in inside:
                inside.add(maker)
                wanted += [value for value in self.read(maker) if value is not root]
        return inside

    def onward(self, value: Value, passes: Callable[[Node], bool]) -> Value:
        """The last value that comes from `value` by nodes that pass, each of them its only reader."""
        while len(readers := self.readers[value]) == 1 and passes(readers[0]):
            (value,) = readers[0].outputs
        return value

    def _reach(self, node: Node, read: Sequence[Value]) -> None:
        root = self.root(node)
        depth = 0 if root is None else self._depth[root] + 1
        for value in node.outputs:
            self.depends.add(value)
            self.parent[value], self._depth[value] = root, depth

    def _meeting(self, one: Value | None, other: Value | None) -> Value | None:
        while one is not other and one is not None and other is not None:
            if self._depth[one] >= self._depth[other]:
                one = self.parent[one]
            else:
                other = self.parent[other]
        return one if one is other else None
