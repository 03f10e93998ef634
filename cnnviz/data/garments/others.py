"""Trousers, bags and shoes, one function per class; shoes point to the left, as in Fashion-MNIST."""

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
from cnnviz.data.garments.tops import Drawn


def trouser(c: Canvas, draw: Draws) -> Drawn:
    """Trousers: a trunk that is split below the crotch, with a belt and sometimes seams."""
    top, hem, waist = draw(-1.0, -0.88), draw(0.84, 1.0), draw(0.24, 0.36)
    crotch, spread, gap = draw(-0.5, -0.1), draw(0.0, 0.2), draw(0.02, 0.12)
    along = (c.v - top) / (hem - top)
    shape = both(inside(waist + spread * along - c.a), between(c.v, top, hem))
    apart = both(inside(gap + (spread * 0.8) * along - (1 - along) * 0.06 - c.a), inside(c.v - crotch))
    seam = inside(0.04 - np.abs(c.a - waist * 0.6)) * draw.chance(0.4)
    belt = inside(top + 0.12 - c.v)
    return without(shape, apart), 1 - belt * draw(0.0, 0.4) - seam * draw(0.0, 0.25)


def bag(c: Canvas, draw: Draws) -> Drawn:
    """A bag: a body, sometimes with a handle, a flap and a clasp."""
    top, bottom, width = draw(-0.4, 0.05), draw(0.5, 0.85), draw(0.55, 0.92)
    along = (c.v - top) / (bottom - top)
    body = both(inside(width * (1 + draw(-0.25, 0.1) * (1 - along)) - c.a), between(c.v, top, bottom))
    reach, height, thick = width * draw(0.35, 0.85), draw(0.25, 0.62), draw(0.05, 0.09)
    arc = without(
        ellipse(c.u, c.v - top, reach, height), ellipse(c.u, c.v - top, reach - thick * 2, height - thick * 2)
    )
    handle = both(arc, inside(top - c.v)) * draw.chance(0.8)
    flap = inside(top + (bottom - top) * draw(0.25, 0.6) - c.v) * draw.chance(0.5)
    clasp = ellipse(c.u, c.v - top - 0.35, 0.09, 0.09) * draw.chance(0.5)
    return union(body, handle), 1 - flap * draw(0.05, 0.4) + clasp * draw(-0.5, 0.4)


def sandal(c: Canvas, draw: Draws) -> Drawn:
    """A sandal: a sole and straps."""
    ground, heel = draw(0.3, 0.5), draw(0.0, 0.55)
    sole, v = _sole(c, ground, heel, draw(0.06, 0.13)), c.v + _rise(c, heel) - ground
    toes = _strap(c, v, draw(-0.72, -0.5), draw(0.14, 0.26), draw(0.06, 0.16))
    instep = _strap(c, v, draw(-0.4, 0.0), draw(0.26, 0.44), draw(0.05, 0.11)) * draw.chance(0.8)
    ankle = _strap(c, v, draw(0.35, 0.5), draw(0.44, 0.8), draw(0.05, 0.08))
    counter = both(between(c.u, draw(0.5, 0.66), 0.84), between(v, -draw(0.2, 0.6), 0)) * draw.chance(0.6)
    along = stroke(c.u, v, (-0.5, -0.16), (0.6, -draw(0.35, 0.7)), 0.05) * draw.chance(0.5)
    return union(sole, toes, instep, ankle, counter, along), 1 - sole * draw(-0.1, 0.5)


def sneaker(c: Canvas, draw: Draws) -> Drawn:
    """A sneaker: an upper with an opening, a thick sole, laces and a stripe."""
    ground, thick = draw(0.28, 0.5), draw(0.1, 0.2)
    collar, tongue = ground - draw(0.5, 0.85), draw(-0.1, 0.25)
    upper = _upper(c, ground, collar, tongue, draw(0.2, 0.34))
    upper = without(upper, ellipse(c.u - draw(0.5, 0.65), c.v - collar, draw(0.14, 0.25), draw(0.06, 0.18)))
    sole = both(between(c.v, ground - thick, ground), inside(0.9 - c.a))
    laces = both(inside(0.05 - np.abs(c.u - c.v * 0.6 + draw(0.0, 0.3))), inside(ground - 0.25 - c.v))
    swoosh = stroke(c.u, c.v, (-0.2, ground - 0.2), (draw(0.4, 0.7), ground - draw(0.25, 0.5)), 0.06) * draw.chance(0.5)
    return union(upper, sole), 1 + sole * draw(-0.5, 0.6) - laces * draw(0.0, 0.5) + swoosh * draw(-0.6, 0.4)


def ankle_boot(c: Canvas, draw: Draws) -> Drawn:
    """An ankle boot: a foot and a shaft on a sole with a heel."""
    ground, heel, top = draw(0.62, 0.84), draw(0.0, 0.35), draw(-0.9, -0.3)
    v = c.v + _rise(c, heel)
    front, back = draw(-0.12, 0.2), draw(0.68, 0.86)
    foot = _upper(c, ground, ground - draw(0.5, 0.7), front, draw(0.3, 0.44), lift=_rise(c, heel))
    shaft = both(between(c.u, front + (c.v - top) * draw(-0.15, 0.05), back), between(v, top, ground))
    sole = _sole(c, ground, heel, draw(0.06, 0.12))
    seam = inside(0.04 - np.abs(c.u - draw(0.2, 0.5))) * draw.chance(0.4)
    cuff = inside(top + 0.14 - c.v) * draw.chance(0.4)
    return union(foot, shaft, sole), 1 - sole * draw(-0.1, 0.5) - seam * draw(0.1, 0.5) - cuff * draw(-0.2, 0.4)


def _rise(c: Canvas, heel: Amount) -> Field:
    """The height of the foot above the toes: 0 up to the ball, then rising to the heel's height."""
    return heel * np.clip((c.u + 0.3) / 1.0, 0, 1)


def _sole(c: Canvas, ground: Amount, heel: Amount, thick: Amount) -> Field:
    """A sole: flat under the toes at the left, then rising to the heel, which stands on the ground."""
    blade = both(between(c.v + _rise(c, heel), ground - thick, ground), inside(0.88 - c.a))
    block = both(between(c.u, 0.6, 0.86), between(c.v, ground - heel - thick, ground))
    return union(blade, block)


def _strap(c: Canvas, v: Field, at: Amount, height: Amount, radius: Amount) -> Field:
    """A band over the foot, bent at half its height."""
    bend = (at + height * 0.25, -height * 0.6)
    lower = stroke(c.u, v, (at, 0.0), bend, radius)
    return union(lower, stroke(c.u, v, bend, (at + height * 0.8, -height), radius))


def _upper(c: Canvas, ground: Amount, collar: Amount, tongue: Amount, toe: Amount, lift: Field | float = 0.0) -> Field:
    """A shoe from the side: a round toe at the left, a slope up to the tongue, a level collar, an upright back."""
    v = c.v + lift
    slope = np.clip((c.u + 0.88) / (tongue + 0.88), 0, 1)
    height = toe + (ground - collar - toe) * slope * slope
    front = np.sqrt(np.clip((c.u + 0.9) / 0.25, 0, 1))
    return both(inside(v - ground + height * front), inside(ground - v), inside(0.86 - c.u), inside(c.u + 0.9))
