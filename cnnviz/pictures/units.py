"""What the units of a layer respond to, what goes wrong without them, and which units they are connected with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from cnnviz.batching import Report
from cnnviz.errors import InputError, check_known
from cnnviz.networks import Net
from cnnviz.pictures.options import ONE_UNIT, OfImage
from cnnviz.pictures.picture import Data, Kind, Picture
from cnnviz.pictures.unit_page import page_of
from cnnviz.pictures.unit_sheet import sheets_of
from cnnviz.units.seen import BY, VALUE


@dataclass(frozen=True)
class Units(OfImage, Kind):
    """All units of a layer as a contact sheet, or by its number one of them on a page."""

    NAMED: ClassVar[frozenset[str]] = Kind.NAMED | {"unit", "sort", "by"}

    layer: str | None = None
    """The layer whose units are meant, by name, kind or number; by default the last with maps, if any has."""
    unit: int | None = None
    """Draw the page of this unit instead of the sheet of all."""
    sort: str = "unit"
    """Sort the sheet: unit, mean, deviation, largest, positive, zero, selectivity, accuracy or loss."""
    by: str = VALUE
    """Show the images with the largest value of a unit, or where its relevance for the prediction is largest:
    value or relevance."""
    pairs: bool = False
    """With --unit: also find which other units stand in for it, by what the network loses without both."""

    def __call__(self, networks: Sequence[Net], data: Data, report: Report | None = None) -> list[Picture]:
        """The pages of each network's unit, or its sheets; raises Skipped without a data set."""
        return [picture for net in networks for picture in self.of(net.first, data, report)]

    def of(self, net: Net, data: Data, report: Report | None = None) -> list[Picture]:
        """The page of the unit, one per image that it is shown on, or the pages of the contact sheet."""
        check_known("order of images", self.by, BY)
        if self.unit is not None:
            return page_of(self, net, data, report)
        if self.pairs:
            raise InputError(ONE_UNIT)
        return sheets_of(self, net, data, report)
