"""Garments for the upper body, and dresses, one function per class: a trunk, sleeves, a neckline and details."""

import numpy as np

from cnnviz.data.garments.canvas import (
    Amount,
    Canvas,
    Draws,
    Field,
    between,
    both,
    ellipse,
    inside,
    stroke,
    union,
    without,
)

Drawn = tuple[Field, Field]  # the coverage of each pixel, the brightness of the cloth there


def t_shirt(c: Canvas, draw: Draws) -> Drawn:
    """A T-shirt: short sleeves, a round neckline, sometimes a print."""
    top, hem, shoulder = draw(-0.86, -0.74), draw(0.62, 0.88), draw(0.44, 0.54)
    trunk = _trunk(c, top, hem, shoulder, shoulder * draw(0.84, 1.06), draw(0.0, 0.08))
    shape = union(trunk, _sleeves(c, top, shoulder, draw(0.2, 0.52), draw(0.14, 0.34), draw(0.12, 0.18)))
    shape = without(shape, ellipse(c.u, c.v - top, draw(0.15, 0.26), draw(0.08, 0.24)))
    printed = both(ellipse(c.u, c.v - draw(-0.4, 0.1), draw(0.12, 0.3), draw(0.1, 0.26)), shape) * draw.chance(0.4)
    return shape, 1 - printed * draw(-0.3, 0.7)


def pullover(c: Canvas, draw: Draws) -> Drawn:
    """A pullover: long sleeves, usually a ribbed hem, sometimes a hood."""
    top, hem, shoulder = draw(-0.86, -0.74), draw(0.62, 0.86), draw(0.42, 0.52)
    trunk = _trunk(c, top, hem, shoulder, shoulder * draw(0.86, 1.06), draw(0.0, 0.06))
    length = draw(1.0, 1.42)
    shape = union(trunk, _sleeves(c, top, shoulder, length, draw(0.12, 0.34), draw(0.11, 0.16)))
    shape = without(shape, ellipse(c.u, c.v - top, draw(0.13, 0.22), draw(0.05, 0.15)))
    ribs = inside(c.v - hem + draw(0.1, 0.2)) * draw.chance(0.85)
    hood = both(ellipse(c.u, c.v - top - 0.06, draw(0.2, 0.28), 0.18), shape) * draw.chance(0.25)
    return shape, 1 - ribs * draw(0.15, 0.45) - hood * draw(0.1, 0.35)


def coat(c: Canvas, draw: Draws) -> Drawn:
    """A coat: long, open at the front, with lapels, sometimes a belt."""
    top, hem, shoulder = draw(-0.92, -0.8), draw(0.72, 0.98), draw(0.4, 0.52)
    trunk = _trunk(c, top, hem, shoulder, shoulder * draw(0.9, 1.2), draw(0.0, 0.1))
    shape = union(trunk, _sleeves(c, top, shoulder, draw(1.05, 1.45), draw(0.12, 0.34), draw(0.11, 0.16)))
    shape = without(shape, ellipse(c.u, c.v - top, draw(0.1, 0.2), draw(0.04, 0.12)))
    opening = inside(draw(0.03, 0.07) - np.abs(c.u - draw(-0.08, 0.08)))
    lapels = _collar(c, top, draw(0.3, 0.7), draw(0.16, 0.26))
    belt = between(c.v, (waist := draw(-0.05, 0.2)), waist + 0.12) * draw.chance(0.3)
    return shape, 1 - opening * draw(0.3, 0.8) - lapels * draw(0.05, 0.35) - belt * draw(0.1, 0.35)


def shirt(c: Canvas, draw: Draws) -> Drawn:
    """A shirt: a collar, a placket with buttons, and sleeves of either length."""
    top, hem, shoulder = draw(-0.88, -0.76), draw(0.64, 0.9), draw(0.42, 0.53)
    trunk = _trunk(c, top, hem, shoulder, shoulder * draw(0.84, 1.08), draw(0.0, 0.08))
    short = draw.chance(0.35)
    length = short * draw(0.25, 0.6) + (1 - short) * draw(0.95, 1.38)
    shape = union(trunk, _sleeves(c, top, shoulder, length, draw(0.12, 0.34), draw(0.1, 0.16)))
    shape = without(shape, ellipse(c.u, c.v - top, draw(0.12, 0.2), draw(0.04, 0.16)))
    step = draw(0.18, 0.3)
    buttons = both(inside(0.05 - c.a), inside(0.05 - np.abs(c.v / step - np.floor(c.v / step) - 0.5) * step))
    placket = inside(draw(0.04, 0.07) - c.a)
    collar = _collar(c, top, draw(0.14, 0.3), draw(0.14, 0.22))
    return shape, 1 - buttons * draw(0.3, 0.8) - placket * draw(-0.15, 0.2) + collar * draw(-0.45, 0.1)


def dress(c: Canvas, draw: Draws) -> Drawn:
    """A dress: a waist, a skirt, sometimes sleeves."""
    top, hem, shoulder = draw(-0.98, -0.84), draw(0.8, 1.0), draw(0.24, 0.38)
    waist, hips = draw(-0.35, 0.0), shoulder * draw(1.0, 2.0)
    narrow = shoulder * draw(0.7, 1.0)
    above = np.clip((c.v - top) / (waist - top), 0, 1)
    below = np.clip((c.v - waist) / (hem - waist), 0, 1)
    shape = both(inside(shoulder + (narrow - shoulder) * above + (hips - narrow) * below - c.a), between(c.v, top, hem))
    sleeves = _sleeves(c, top, shoulder, draw(0.25, 1.1), draw(0.08, 0.25), draw(0.08, 0.13)) * draw.chance(0.4)
    shape = without(union(shape, sleeves), ellipse(c.u, c.v - top, shoulder * draw(0.4, 0.75), draw(0.1, 0.3)))
    return shape, 1 - between(c.v, waist - 0.05, waist + 0.05) * draw(0.0, 0.5)


def _trunk(c: Canvas, top: Amount, hem: Amount, shoulder: Amount, hips: Amount, pinch: Amount) -> Field:
    """The trunk from sloping shoulders down to the hem, narrower by `pinch` in the middle."""
    along = (c.v - top) / (hem - top)
    width = shoulder + (hips - shoulder) * along - pinch * 4 * along * (1 - along)
    return both(inside(width - c.a), inside(c.v - top - 0.25 * c.a), inside(hem - c.v))


def _sleeves(c: Canvas, top: Amount, shoulder: Amount, length: Amount, spread: Amount, radius: Amount) -> Field:
    start, end = (shoulder - 0.1, top + 0.24), (shoulder + spread, top + 0.2 + length)
    return stroke(c.a, c.v, start, end, radius)


def _collar(c: Canvas, top: Amount, depth: Amount, width: Amount) -> Field:
    """A V from the neck down."""
    return both(inside(width * (1 - (c.v - top) / depth) - c.a), inside(top + depth - c.v))
