"""What a network takes pictures of your own for: the likeliest classes beside each picture as the network sees it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float, UInt8

from cnnviz.errors import InputError
from cnnviz.figures.predicted import predicted
from cnnviz.networks import Net
from cnnviz.pictures.finite import with_parameters_said
from cnnviz.pictures.options import OfImage
from cnnviz.pictures.picture import Data, OneByOne, Picture, Sample, Skipped, shown_channel, size
from cnnviz.pictures.predictions import apart, class_names, headline, likelihoods
from cnnviz.pictures.samples import each, known, samples


@dataclass(frozen=True)
class Predict(OfImage, OneByOne):
    """What a network takes pictures for: predict RUN photo.png other.jpg, in any size and colors."""

    top: int = 5
    """How many classes are drawn, the likeliest first."""

    def of(self, net: Net, data: Data) -> list[Picture]:
        """One picture per image; raises Skipped for images that are no pictures, InputError if --top is 0."""
        if self.top < 1:
            raise InputError(f"--top must be at least 1; it was {self.top}.")
        if len(net.image_shape) != 3:
            raise Skipped(f"{net.name} takes inputs of {size(net.image_shape)}, not pictures.")
        return with_parameters_said(each(samples(self, net, data), lambda shown: [self.picture(net, data, shown)]), net)

    def picture(self, net: Net, data: Data, shown: Sample) -> Picture:
        """The picture of one image; its numbers are all classes, its table is those that are drawn."""
        p = likelihoods(net, None if shown.label is None else known(data), shown.pixels)
        names = class_names(net, known(data), len(p))
        order = np.argsort(-p, kind="stable")
        title, caption = self.words(net, shown, p, names)
        records = [{"class": names[i], "probability": float(p[i])} for i in order]
        draw = partial(
            predicted, shown.original, _drawn(shown), p[order][: self.top], [names[i] for i in order[: self.top]]
        )
        table = [{"image": shown.title, **record} for record in records[: self.top]]
        subject = {"network": net.name, "image": shown.subject}
        return Picture("predict", title, caption, records, partial(draw, title=title), subject, table=table)

    def words(self, net: Net, shown: Sample, p: Float[np.ndarray, " k"], names: Sequence[str]) -> tuple[str, str]:
        """The title and the caption."""
        title = headline(net, shown, p, names)
        converted = f" {shown.title}: {', '.join(shown.conversions)}." if shown.conversions else ""
        if not np.isfinite(p).all():
            return title, f"Its outputs are NaN or infinite.{converted}"
        drawn = min(self.top, len(p))
        rest = f"The {drawn} likeliest of {len(p)} classes" if drawn < len(p) else f"All {len(p)} classes"
        share = f"which have {np.sort(p)[-drawn:].sum():.4f} of the probability."
        return title, f"{rest}, {share}{apart(net, len(p))}{converted}{_channels_said(shown)}"


def _channels_said(shown: Sample) -> str:
    """A sentence on how the channels are drawn, to end a caption with; empty for red, green and blue."""
    if _drawn(shown) is not shown.pixels:
        return " The network also sees how opaque it is, which is not drawn."
    return " In gray, 0 is black." if shown.pixels.shape[-1] == 1 else shown_channel(shown.pixels)


def _drawn(shown: Sample) -> UInt8[np.ndarray, "h w c"]:
    """The pixels as they are drawn: of a picture of one's own with four channels red, green and blue."""
    return shown.pixels[..., :3] if shown.original is not None and shown.pixels.shape[-1] == 4 else shown.pixels
