"""Keras files with random damage: each is a model or one line, soon, and in bounded memory.

CNNVIZ_FUZZ=20000 tries so many files instead of a few; each is made from its number alone, which a failure names.
"""

import io
import json
import os
import random
import resource
import time
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import pytest

from cnnviz.errors import InputError
from cnnviz.interop import load_keras

pytestmark = pytest.mark.slow

GOLDENS = Path(__file__).parent / "goldens" / "keras"
FILES = sorted(path for path in GOLDENS.iterdir() if path.suffix in (".h5", ".keras"))
NUMBER = int(os.environ.get("CNNVIZ_FUZZ", 40))
EXTREMES = [0, -1, 1, 2**31 - 1, 2**31, 2**63, 10**30, 1e308, "x", "\n", None, True, [], {}, [2**31 - 1] * 3]


def flipped(draw, content):
    """One to four bytes changed."""
    for _ in range(draw.choice([1, 1, 2, 4])):
        place = draw.randrange(len(content))
        content[place] = draw.choice([0, 1, 5, 127, 128, 255, content[place] ^ 1 << draw.randrange(8)])


def renumbered(draw, content):
    """A number of two, four or eight bytes, which may be a size or an address, made extreme or another place."""
    width = draw.choice([2, 4, 8])
    place = draw.randrange(0, len(content) - width, 2)
    value = draw.choice([0, 1, 2 ** (8 * width) - 1, 2 ** (8 * width - 1), draw.randrange(len(content)) % 256**width])
    content[place : place + width] = value.to_bytes(width, "little")


def copied(draw, content):
    """A piece of the file over another."""
    length, source, target = (draw.randrange(limit) for limit in (64, len(content), len(content)))
    piece = content[source : source + length]
    content[target : target + len(piece)] = piece


def cut(draw, content):
    del content[draw.randrange(len(content)) :]


def damaged(draw, content):
    content = bytearray(content)
    draw.choice([flipped, flipped, renumbered, renumbered, copied, cut])(draw, content)
    return bytes(content)


def redescribed(draw, text):
    """A model's description with one value made extreme."""
    config = json.loads(text)
    holders = [config]
    for holder in holders:
        holders += [value for value in (holder.values() if isinstance(holder, dict) else holder) if holds(value)]
    holder = draw.choice(holders)
    key = draw.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    holder[key] = draw.choice(EXTREMES)
    return json.dumps(config)


def holds(value):
    return isinstance(value, dict | list) and len(value) > 0


def hdf5_with(draw, content):
    file = io.BytesIO(content)
    with h5py.File(file, "r+") as opened:
        opened.attrs["model_config"] = redescribed(draw, opened.attrs["model_config"])
    return file.getvalue()


def zip_with(draw, content):
    """An archive that is whole, with a damaged member."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = draw.choice(["config.json", "model.weights.h5", "model.weights.h5"])
    change = redescribed if name == "config.json" else damaged
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for other, member in members.items():
            archive.writestr(other, change(draw, member) if other == name else member)
    return file.getvalue()


def file_number(number):
    draw = random.Random(number)
    path = draw.choice(FILES)
    within = hdf5_with if path.suffix == ".h5" else zip_with
    return path.suffix, draw.choice([damaged, damaged, within])(draw, path.read_bytes())


def outcome(path):
    """How loading ended, and after how many seconds; anything but a model or one line is raised."""
    start = time.monotonic()
    try:
        load_keras(path)
        said = "loaded"
    except InputError as error:
        said = str(error)
        assert said.startswith(f"{path} cannot be read as a Keras model: ")
    kind = next((word for word in ("loaded", "SIG", "in time", "zip archive", "damaged") if word in said), "refused")
    return kind, time.monotonic() - start


@pytest.mark.parametrize("first", range(0, NUMBER, 40))
def test_damage_is_one_line(tmp_path, first):
    def tried(number):
        suffix, content = file_number(number)
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(content)
        try:
            kind, seconds = outcome(path)
        except Exception as error:
            raise AssertionError(f"file {number} is not refused in one line") from error
        path.unlink()
        assert seconds < 10, f"file {number} took {seconds:.1f} s"
        return kind, seconds

    before = peaks()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(tried, range(first, min(first + 40, NUMBER))))
    grown = [most - was for most, was in zip(peaks(), before, strict=True)]
    print(dict(Counter(kind for kind, _ in found)), f"slowest {max(s for _, s in found):.1f} s, GB more {grown}")
    assert max(grown) < 4


def peaks():
    """The most memory in GB that this process, and any one that it started, has had so far."""
    return [resource.getrusage(who).ru_maxrss / 1e6 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
