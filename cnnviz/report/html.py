"""A report as HTML: pictures, tables and what the page computes with, in one text."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import PIL.features as pillow
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from cnnviz.pictures import files
from cnnviz.pictures.picture import Picture
from cnnviz.report import sources

POLICY = "default-src 'none'; img-src data: blob:; worker-src blob:; base-uri 'none'; form-action 'none'"
MOST_NUMBERS = 300_000  # bytes of one picture's numbers
MEDIA = {"csv": "text/csv", "json": "application/json", "npz": "application/octet-stream"}


@dataclass(frozen=True)
class Content:
    """What a page is made of: its title and facts, sections of pictures by heading, tables, and the payload."""

    title: str
    facts: Sequence[str]
    sections: Mapping[str, Sequence[Picture]]
    layers: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]
    provenance: Mapping[str, Any]
    payload: Mapping[str, Any]
    notes: Sequence[str] = ()
    again: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By heading, the "python" expression and the "command" that give its pictures again."""


class Encoder:
    """Pictures as files in the page, each encoded once."""

    def __init__(self, about: Mapping[str, Any]):
        self.about, self.known = about, {}

    def image(self, picture: Picture, dpi: int) -> dict[str, Any]:
        """The picture as a data URI with its sides: lossless WebP, which is a third of a PNG's size."""
        key = (id(picture), dpi)
        if key not in self.known:
            self.known[key] = _smaller(picture.encoded("png", dpi=dpi, about=self.about))
        return self.known[key]

    def numbers(self, picture: Picture) -> dict[str, str]:
        """The file of the picture's numbers as a data URI with its name and size; no URI if it is too large."""
        key = (id(picture), "numbers")
        if key not in self.known:
            self.known[key] = _numbers(picture)
        return self.known[key]


def rendered(content: Content, encoder: Encoder, dpi: int | None, with_numbers: bool) -> str:
    """The page; without `dpi` it has no pictures, only their titles and captions."""
    script, worker, style = sources.script("views/main.js"), sources.script("worker.js"), sources.style()
    policy = f"{POLICY}; script-src {sources.digest(script)} blob:; style-src {sources.digest(style)}"
    sections = {
        heading: [
            _figure(picture, encoder, dpi, with_numbers, f"picture-{heading}-{i}") for i, picture in enumerate(each)
        ]
        for heading, each in content.sections.items()
    }
    named: Any = {"policy": policy, "style": Markup(style), "script": Markup(script), "worker": Markup(worker)}
    sections = {name: [each | dict(content.again.get(name, {})) for each in own] for name, own in sections.items()}
    named["parts"] = _parts(content)
    environment = Environment(loader=PackageLoader("cnnviz.report"), autoescape=True, undefined=StrictUndefined)
    environment.filters["shown"] = shown
    return environment.get_template("report.html").render(
        content=content, sections=sections, payload=Markup(as_json(content.payload)), **named
    )


def _parts(content: Content) -> list[tuple[str, str, bool]]:
    """Where the links at the top lead, their names, and whether only a script makes it; those come first."""
    runs = any(network.get("graph") for network in content.payload.get("networks", []))
    own = [("section-attribution", "Attribution"), ("section-training", "Training")] if runs else []
    own += [("section-beside", "Side by side")] if runs and content.payload.get("matrices") else []
    kinds = [(f"section-{name.replace(' ', '-')}", name.capitalize()) for name in content.sections]
    every = [("section-layers", "Layers"), *kinds, ("section-provenance", "Provenance")]
    return [(*each, True) for each in own] + [(*each, False) for each in every]


def as_json(payload: Any) -> str:
    """JSON that may stand in a script element: a text in it cannot end the element."""
    text = json.dumps(payload, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def shown(value: Any) -> str:
    """A cell of a table or an entry: shapes as 28x28x1, numbers with separators, records as JSON."""
    several = isinstance(value, list | tuple)
    if several and not any(isinstance(each, Mapping) for each in value):
        return "x".join(map(str, value))
    if several or isinstance(value, Mapping):
        return json.dumps(value, indent=1, ensure_ascii=False, default=str)
    return f"{value:,}" if isinstance(value, int) else "" if value is None else str(value)


def _figure(picture: Picture, encoder: Encoder, dpi: int | None, with_numbers: bool, name: str) -> dict[str, Any]:
    table = [{key: str(value) for key, value in row.items()} for row in picture.table]
    return {
        "id": name.replace(" ", "-"),
        "title": picture.title,
        "caption": picture.caption,
        "image": None if dpi is None else encoder.image(picture, dpi),
        "numbers": encoder.numbers(picture) if with_numbers else None,
        "table": table,
        "python": "",
        "command": "",
    }


def _numbers(picture: Picture) -> dict[str, str]:
    kind = files.kind_of(picture.numbers)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"numbers.{kind}"
        files.WRITERS[kind](path, picture.numbers)
        data = path.read_bytes()
    name = "".join(c if c.isalnum() or c in "-_.@" else "-" for c in picture.name)
    uri = _uri(MEDIA[kind], data) if len(data) <= MOST_NUMBERS else ""
    return {"name": f"{name}.{kind}", "uri": uri, "size": f"{len(data) / 1e6:.1f} MB"}


def _smaller(png: bytes) -> dict[str, Any]:
    """The same pixels as WebP, or the PNG where Pillow was built without it."""
    with Image.open(BytesIO(png)) as image, BytesIO() as file:
        sides = {"width": image.width, "height": image.height}
        if not pillow.check("webp"):
            return {"uri": _uri("image/png", png), **sides}
        image.save(file, "WEBP", lossless=True, quality=80)
        return {"uri": _uri("image/webp", file.getvalue()), **sides}


def _uri(media: str, data: bytes) -> str:
    return f"data:{media};base64,{base64.b64encode(data).decode()}"
