"""The description in a directory that TensorFlow Datasets prepared: its features, class names and files.

TFDS itself is not used to read it: it would import any module that `features.json` names, let Pillow start external
programs for pictures, and open any file on the machine that the two JSON files name.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnviz.errors import InputError

INFO, FEATURES = "dataset_info.json", "features.json"
LIMIT = 2**24  # bytes of a JSON or text file
MOST = 2**16  # unnamed classes
CLASS = re.compile(r"tensorflow_datasets\.core\.features(\.\w+)+", re.ASCII)
TEMPLATE = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"


@dataclass(frozen=True)
class Prepared:
    """An example's keys for image and label, the class names, the file format, and each split's files and lengths."""

    image: str
    label: str
    classes: tuple[str, ...] | None
    format: str
    splits: Mapping[str, list[tuple[Path, int]]]


def describe(path: Path) -> Prepared:
    """The description of a prepared directory.

    Raises InputError if it is damaged, or if it names a class outside TFDS or a file outside the directory.
    """
    try:
        info, features = _json(path / INFO), _json(path / FEATURES)
        for file, content in ((INFO, info), (FEATURES, features)):
            _check_classes(path / file, content)
        image, label, count = _keys(_fields(features), path)
        splits = {split["name"]: _files(path, info, split) for split in info["splits"]}
        classes = _classes(path / f"{label.replace('/', '.')}.labels.txt", count)
        return Prepared(image, label, classes, info.get("fileFormat") or "tfrecord", splits)
    except InputError:
        raise
    except (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError) as error:
        why = f"{type(error).__name__}: {str(error)[:200]}"
        raise InputError(f"{path} is not a data set that TFDS prepared ({why}); prepare it again.") from error


def _json(file: Path) -> dict[str, Any]:
    if isinstance(content := json.loads(_text(file)), dict):
        return content
    raise TypeError(f"{file.name} is not a JSON object")


def _text(file: Path) -> str:
    """The text of a regular file; a pipe or a device, which may be endless, is refused."""
    if not file.is_file():
        raise InputError(f"{file.parent} is not a data set that TFDS prepared ({file.name} is missing).")
    with open(file, "rb") as stream:
        content = stream.read(LIMIT + 1)
    if len(content) > LIMIT:
        raise InputError(f"{file} has more than {LIMIT} bytes; a description is smaller than that.")
    return content.decode()


def _check_classes(file: Path, content: Any) -> None:
    """Raises InputError if a feature's class is outside TFDS: TFDS would import it when opening the directory."""
    for name in _class_names(content):
        if not CLASS.fullmatch(name):
            raise InputError(
                f"{file} names the class {name!r}; only classes of tensorflow_datasets.core.features are read."
            )


def _class_names(content: Any) -> Iterator[str]:
    """Every feature's class at any depth, also in the nested JSON strings that older versions of TFDS write."""
    if isinstance(content, str) and content.lstrip()[:1] in ("{", "["):
        try:
            content = json.loads(content)
        except ValueError:
            return
    if isinstance(content, dict):
        keys = ("pythonClassName", "python_class_name", *(["type"] if "content" in content else []))
        yield from (content[key] for key in keys if isinstance(content.get(key), str))
        content = list(content.values())
    if isinstance(content, list):
        for value in content:
            yield from _class_names(value)


def _fields(features: dict[str, Any]) -> dict[str, Any]:
    """The features of an example by name, in the layout of current TFDS or of versions before 4.6."""
    if "featuresDict" in features:
        return features["featuresDict"]["features"]
    content = features["content"]
    content = json.loads(content) if isinstance(content, str) else content
    return content["features"] if features.get("proto_cls") else content


def _keys(fields: dict[str, Any], path: Path) -> tuple[str, str, int | None]:
    """The keys of the image and of the label in each example, and the number of classes if it is recorded."""
    kinds = {name: (field.get("pythonClassName") or field["type"]).split(".")[-1] for name, field in fields.items()}
    first = lambda *wanted: next((name for name, kind in kinds.items() if kind in wanted), None)
    image, label = first("Image", "LabeledImage"), first("ClassLabel")
    if image is None or label is None:
        raise InputError(f"{path} has the features {', '.join(fields)}; it needs an Image and a ClassLabel.")
    facts = fields[label].get("classLabel") or fields[label].get("content") or {}
    count = facts.get("numClasses") or facts.get("num_classes")
    return image, label, None if count is None else int(count)


def _classes(file: Path, count: int | None) -> tuple[str, ...] | None:
    """The names of the classes in `file`, or their numbers if only their count is known."""
    if file.is_file():
        return tuple(name.strip() for name in _text(file).split("\n") if name.strip())
    return None if count is None or count > MOST else tuple(map(str, range(count)))


def _files(path: Path, info: dict[str, Any], split: dict[str, Any]) -> list[tuple[Path, int]]:
    """The non-empty files of a split and the number of records in each."""
    lengths = [int(length) for length in split.get("shardLengths", [])]
    facts = {"DATASET": info["name"], "SPLIT": split["name"], "FILEFORMAT": info.get("fileFormat") or "tfrecord"}
    facts["NUM_SHARDS"] = f"{len(lengths):05d}"
    files = []
    for index, length in enumerate(lengths):
        facts |= {"SHARD_INDEX": f"{index:05d}", "SHARD_X_OF_Y": f"{index:05d}-of-{len(lengths):05d}"}
        files.append((path / _name(split.get("filepathTemplate") or TEMPLATE, facts, path), length))
    return [(file, length) for file, length in files if length]


def _name(template: str, facts: Mapping[str, str], path: Path) -> str:
    name = re.sub(r"\{(\w+)\}", lambda found: facts[found[1]], template)
    if not re.fullmatch(r"[\w+-][\w.+-]*", name):
        raise InputError(f"{path / INFO} names the file {name!r}; it must be in the same directory.")
    return name
