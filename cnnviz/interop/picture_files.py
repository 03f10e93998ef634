"""Pictures by their files' names: the formats that are read, and whether a place holds pictures and not a network."""

import os
from itertools import islice
from pathlib import Path

FORMATS = {  # by Pillow's names
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".pgm", ".ppm", ".pbm", ".pnm"),
    "AVIF": (".avif",),
}
SUFFIXES = {suffix for suffixes in FORMATS.values() for suffix in suffixes}
UNREAD = {".heic", ".heif", ".pdf", ".svg", ".eps", ".psd", ".ico", ".jxl", ".jp2", ".tga", ".dng", ".cr2", ".nef"}
LOOKED_AT = 1000  # folders, and files in each, that are looked at


def is_named_picture(name: str) -> bool:
    """Whether a file has the name of a picture, also of one in a format that is not read."""
    return Path(name).suffix.lower() in SUFFIXES | UNREAD


def holds_pictures(path: Path) -> bool:
    """Whether a path is a picture, or a folder most of whose files, also in its subfolders, are pictures."""
    if not path.is_dir():
        return is_named_picture(path.name)
    folders = islice(os.walk(path), LOOKED_AT)
    files = [name for _, _, names in folders for name in names[:LOOKED_AT] if name[:1] != "."]
    return 2 * sum(Path(name).suffix.lower() in SUFFIXES for name in files) > len(files)
