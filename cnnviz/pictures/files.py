"""Writing pictures and their numbers to files, atomically and with the same bytes each time."""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.atomic import atomic_write
from cnnviz.errors import InputError, unknown
from cnnviz.figures.files import FORMATS
from cnnviz.pictures.latex import caption_file
from cnnviz.pictures.page import Page
from cnnviz.pictures.picture import SCREEN, Numbers, Picture
from cnnviz.pictures.tables import as_csv
from cnnviz.pictures.written import write_tables

USUAL = re.compile(r"[\w@+.]+(/[\w@+.]+)*")  # a layer's name, whose file name is that of no other layer
USUAL_SPLIT = "test"  # which names of files leave out, but for single images
MOST_METHODS = 3  # that a file's name lists
OF = "of"  # the key, in a picture's metadata, of a digest of the network and the files that it shows
OF_IN_FILES = re.compile(rb'"of": "([0-9a-f]{16})"')
LONGEST = 150  # bytes of a file's name, of which most systems allow 255


def write(
    picture: Picture,
    folder: str | os.PathLike,
    format: str = "png",
    data: bool = False,
    *,
    tables: bool = False,
    page: Page = SCREEN,
    variant: str = "",
    about: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Writes the picture, for a paper its caption as .tex, and with `data` its numbers; returns the paths.

    Numbers are .npz, .csv or .json, and the picture's `texts` are written with them; with `tables` its table is written
    as CSV, Markdown and LaTeX. A film is written next to its strip. File names say what the picture shows; `variant` is
    added to them, and `about` to the picture's metadata. A file of this name that is of something else, by the digest
    in its metadata, is kept: the new one's name ends in its own digest. For a slide, the slides of a divided picture
    are written instead. Raises InputError if the format is unknown or the folder cannot be created.
    """
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    if picture.slides and page.drawn.height is not None:
        own: Any = {"tables": tables, "page": page, "variant": variant, "about": about}
        return [path for slide in picture.slides for path in write(slide, folder, format, data, **own)]
    folder = Path(folder)
    said = picture.name + shown(picture.name, picture.subject) + variant + page.suffix
    name = _apart(folder, file_name(said, picture.subject.get("layer", "")), (about or {}).get(OF, ""))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be a folder for pictures: {error.strerror}.") from error
    written = [picture.save(folder / f"{name}.{format}", page, about)]
    if page.style == "paper":
        written.append(folder / f"{name}.tex")
        with atomic_write(written[-1]) as path:
            path.write_text(caption_file(written[0].name, picture.title, picture.caption), encoding="utf-8")
    written += picture.film.write(folder, name, page, picture.title, about) if picture.film else []
    written += _write_numbers(picture, folder, name) if data else []
    return written + (write_tables(picture.table, folder, name, picture.title) if tables else [])


def _apart(folder: Path, name: str, own: str) -> str:
    """The name, with the digest `own` if a picture of this name in the folder has another one in its metadata."""
    marks = [OF_IN_FILES.search(path.read_bytes()) for path in _pictures_in(folder, name)]
    is_other = own and any(mark is not None and mark[1].decode() != own for mark in marks)
    return f"{name}~{own[:8]}" if is_other else name


def _pictures_in(folder: Path, name: str) -> list[Path]:
    return [path for ending in FORMATS if (path := folder / f"{name}.{ending}").is_file()]


def _write_numbers(picture: Picture, folder: Path, name: str) -> list[Path]:
    """Writes the picture's numbers and texts; returns the paths."""
    kind = kind_of(picture.numbers)
    written = [folder / f"{name}.{kind}"]
    with atomic_write(written[-1]) as path:
        WRITERS[kind](path, picture.numbers)
    for ending, text in picture.texts.items():
        written.append(folder / f"{name}.{ending}")
        with atomic_write(written[-1]) as path:
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
    return written


def shown(name: str, subject: Mapping[str, Any]) -> str:
    """What the name of a picture's file says besides `name`: image, target, methods, drawing and split."""
    parts = []
    image = _of_image(subject.get("image", {}))
    if image and not name.endswith((f"_{image}", f"-{image}")):
        parts.append(image)
    parts += [str(subject[key]) for key in ("target",) if key in subject]
    if methods := subject.get("method", ()):
        parts.append(
            "+".join(methods) if len(methods) <= MOST_METHODS else f"{methods[0]}+{len(methods) - 1}~{_digest(methods)}"
        )
    parts += subject.get("drawn", ())
    if not image and (split := subject.get("split", USUAL_SPLIT)) != USUAL_SPLIT:
        parts.append(split)
    return "".join(f"_{part}" for part in parts)


def _of_image(image: Mapping[str, Any]) -> str:
    """Images of a data set by their split and numbers, rows of a file by its name and theirs, others by their files."""
    index = image.get("index", [])
    numbers = str(index) if isinstance(index, int) else _spans(index)
    if isinstance(image.get("file"), str):
        return f"{Path(image['file']).stem}{numbers}"
    files = dict.fromkeys(Path(file).stem for file in image.get("file", []))  # rows of one file have its name once
    return "+".join([f"{image.get('split', '')}{numbers}"] * bool(numbers) + [*files])


def _spans(indices: Sequence[int]) -> str:
    """Indices as text: those that follow each other as 0-7, others as 1+5+9."""
    spans: list[list[int]] = []
    for index in indices:
        if spans and index == spans[-1][-1] + 1:
            spans[-1] = [spans[-1][0], index]
        else:
            spans.append([index])
    return "+".join("-".join(map(str, span)) for span in spans)


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:8]


def kind_of(numbers: Numbers) -> str:
    """The file format for numbers: npz for arrays, csv for flat records, json for everything else."""
    if isinstance(numbers, Mapping):
        return "npz" if all(isinstance(value, np.ndarray) for value in numbers.values()) else "json"
    flat = not any(isinstance(value, Mapping | list | tuple | np.ndarray) for row in numbers for value in row.values())
    return "csv" if flat else "json"


def file_name(name: str, layer: str = "") -> str:
    """The picture's name without characters that are special in paths, since layers may be called `a/b` or `../c`.

    It ends in a digest of all of it if the layer's name is unusual, so that `a/b`, `a-b` and `a b` differ.
    """
    kept = re.sub(r"[^\w@.+-]+", "-", name).lstrip(".-") or "picture"
    if (not layer or USUAL.fullmatch(layer)) and len(kept.encode()) <= LONGEST:
        return kept
    return f"{kept.encode()[:LONGEST].decode(errors='ignore')}~{_digest([name])}"


def _write_npz(path: Path, numbers: Mapping[str, np.ndarray]) -> None:
    np.savez_compressed(path, allow_pickle=False, **numbers)


def _write_csv(path: Path, records: list[Mapping[str, Any]]) -> None:
    path.write_text(as_csv(records), encoding="utf-8", errors="backslashreplace", newline="")


def _write_json(path: Path, numbers: Any) -> None:
    plain = lambda value: value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)
    text = json.dumps(numbers, indent=1, default=plain, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")  # names of folders need not be Unicode


WRITERS = {"npz": _write_npz, "csv": _write_csv, "json": _write_json}
