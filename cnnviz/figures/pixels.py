"""Figures as arrays of pixels."""

import numpy as np
from jaxtyping import UInt8
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cnnviz.figures.style import default_style


@default_style()
def pixels(figure: Figure, dpi: float = 100) -> UInt8[np.ndarray, "h w 3"]:
    """The figure rendered at `dpi` pixels per inch."""
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
