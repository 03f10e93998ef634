"""What a unit of a layer responds to, what goes wrong without it, and which units it is connected with."""

from collections.abc import Sequence
from dataclasses import dataclass

from cnnviz.batching import Report
from cnnviz.networks import Net
from cnnviz.pictures.options import OfImage
from cnnviz.pictures.picture import Data, Kind, Picture, Skipped
from cnnviz.pictures.unit_page import page_of


@dataclass(frozen=True)
class Units(OfImage, Kind):
    """One unit of a layer on a page: units RUN --layer relu2 --unit 31."""

    layer: str | None = None
    """The layer whose units are meant, by name, kind or number; by default the last with maps."""
    unit: int | None = None
    """The number of the unit that a page is drawn of."""
    pairs: bool = False
    """Also find which other units stand in for it: what the network loses without both."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        """The pages of each network's unit; raises Skipped without `unit` or a data set."""
        return [picture for net in networks for picture in self.of(net.first, data, report)]

    def of(self, net: Net, data: Data, report: Report | None = None) -> list[Picture]:
        """The page of the unit, one per image that it is shown on."""
        if self.unit is None:
            raise Skipped("A page is of one unit; name it by --unit, such as --layer relu2 --unit 31.")
        return page_of(self, net, data, report)
