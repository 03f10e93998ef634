"""Files of PyTorch's with random damage: each is a state dict or one line, soon, and in bounded memory.

CNNVIZ_FUZZ=20000 tries so many files instead of 200; each is made from its number alone, which a failure names.
"""

import io
import os
import random
import resource
import time
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from test_interop_fuzz import damaged

from cnnviz.errors import InputError
from cnnviz.interop.torch.read import read_state_dict

pytestmark = pytest.mark.slow

GOLDENS = Path(__file__).parent / "goldens" / "torch"
FILES = sorted(path for path in GOLDENS.iterdir() if path.suffix in (".pth", ".tar", ".pt", ".safetensors"))
NUMBER = int(os.environ.get("CNNVIZ_FUZZ", 200))
PIECES = [
    b"0",
    b"1",
    b"2",
    b"N",
    b"(",
    b"t",
    b"R",
    b"Q",
    b"b",
    b"u",
    b"s",
    b"}",
    b"]",
    b"\x85",
    b"\x86",
    b"h\x00",
    b"q\x00",
]
PIECES += [
    b"cos\nsystem\n",
    b"ctorch\nFloatStorage\n",
    b"J\xff\xff\xff\xff",
    b"J\xff\xff\xff\x7f",
    b"\x8a\x09" + b"\x7f" * 9,
]


def within(draw, content):
    """An archive that is whole, with a damaged pickle, or with opcodes put into it."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, member in members.items():
            change = draw.choice([damaged, inserted]) if name.endswith("data.pkl") else lambda draw, member: member
            archive.writestr(name, change(draw, member))
    return file.getvalue()


def inserted(draw, content):
    """One to three opcodes inserted, or put over what is there."""
    for _ in range(draw.randint(1, 3)):
        place, piece = draw.randrange(len(content)), draw.choice(PIECES)
        content = content[:place] + piece + content[place + draw.choice([0, 1, len(piece)]) :]
    return content


def file_number(number):
    draw = random.Random(number)
    content = draw.choice(FILES).read_bytes()
    changes = [damaged, inserted, within, within] if content.startswith(b"PK") else [damaged, inserted]
    return draw.choice(changes)(draw, content)


def outcome(number, path):
    """How reading ended; anything but arrays or one line is raised."""
    try:
        state = read_state_dict(path)
    except InputError as error:
        said = str(error)
    except Exception as error:
        raise AssertionError(f"file {number} is not refused in one line") from error
    else:
        assert all(array.nbytes <= 2**20 for array in state.values()), f"file {number}"
        return "read"
    assert said.startswith(f"{path} cannot be read as weights of PyTorch: "), f"file {number}"
    assert said.isprintable(), f"file {number}"
    return "refused"


def test_damage_is_one_line(tmp_path):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path, outcomes, slowest = tmp_path / "a.pth", Counter(), 0.0
    for number in range(NUMBER):
        path.write_bytes(file_number(number))
        start = time.monotonic()
        outcomes[outcome(number, path)] += 1
        slowest = max(slowest, time.monotonic() - start)
    print(dict(outcomes), f"slowest {slowest:.2f} s")
    assert outcomes["read"] > 0
    assert outcomes["refused"] > NUMBER / 4
    assert slowest < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 1e6  # kB
