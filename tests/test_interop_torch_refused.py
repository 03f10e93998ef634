"""Files that claim to be state dicts and are not, or want to run something: one line each, and nothing runs."""

import os
import pickle
import struct
import time
import zipfile
from argparse import Namespace
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from cnnviz.errors import InputError
from cnnviz.interop.torch.read import read_state_dict

GOLDENS = Path(__file__).parent / "goldens" / "torch"

# the opcodes that torch.save writes, as far as they are needed here


def name(module, attribute):
    return f"c{module}\n{attribute}\n".encode()


def text(value):
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def whole(value):
    return b"J" + struct.pack("<i", value)


def group(*items):
    return b"(" + b"".join(items) + b"t"


def call(function, *arguments):
    return function + group(*arguments) + b"R"


def storage(kind="FloatStorage", key="0", size=6, module="torch"):
    return group(text("storage"), name(module, kind), text(key), text("cpu"), whole(size)) + b"Q"


def tensor(of=None, offset=0, shape=(2, 3), strides=(3, 1), function="_rebuild_tensor_v2"):
    sizes = group(*map(whole, shape)), group(*map(whole, strides))
    hooks = call(name("collections", "OrderedDict"))
    return call(name("torch._utils", function), of or storage(), whole(offset), *sizes, b"\x89", hooks)


def saved(value=None, entry="w"):
    """A pickle of a dict with one entry."""
    return b"\x80\x02}(" + text(entry) + (value or tensor()) + b"u."


def archive(path, content, storages=None, **members):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("weights/data.pkl", content)
        for key, data in (storages or {"0": np.arange(6, dtype="<f4").tobytes()}).items():
            file.writestr(f"weights/data/{key}", data)
        for member, data in members.items():
            file.writestr(f"weights/{member}", data)
    return path


def refused(path):
    """The error for the file, of one line."""
    start = time.process_time()
    with pytest.raises(InputError) as caught:
        read_state_dict(path)
    said = str(caught.value)
    assert time.process_time() - start < 10
    assert said.startswith(f"{path} cannot be read as weights of PyTorch: ")
    assert said.isprintable()  # so it is one line
    assert said.endswith(".")
    assert len(said.removeprefix(str(path))) < 300
    return said


def test_the_pickles_here_are_such_as_can_be_read(tmp_path):
    state = read_state_dict(archive(tmp_path / "a.pth", saved()))
    np.testing.assert_array_equal(state["w"], np.arange(6, dtype=np.float32).reshape(2, 3))
    for written in (tensor(function="_rebuild_tensor"), tensor(storage(module="torch.cuda"))):
        assert read_state_dict(archive(tmp_path / "a.pth", saved(written)))["w"].shape == (2, 3)
    parameter = call(name("torch._utils", "_rebuild_parameter"), tensor(), b"\x88", b"}")
    assert read_state_dict(archive(tmp_path / "a.pth", saved(parameter)))["w"].shape == (2, 3)
    old = call(name("torch.nn.parameter", "Parameter"), tensor()) + group(b"\x88", b"N") + b"b"
    assert read_state_dict(archive(tmp_path / "a.pth", saved(old)))["w"].shape == (2, 3)


SETTINGS = Namespace(lr=0.1, out=Path("runs"), seen=Counter([30, 60]))
SETTINGS.best, SETTINGS.history = np.float64(0.5), np.arange(3)


@pytest.mark.parametrize("protocol", [2, 4])
def test_what_training_scripts_keep_beside_the_weights_is_left(tmp_path, protocol):
    beside = pickle.dumps(SETTINGS, protocol)
    start = 11 if protocol == 4 else 2  # after the protocol, and the length of the frame
    content = b"\x80\x02}(" + text("args") + beside[start:-1] + text("model") + saved()[2:-1] + b"u."
    state = read_state_dict(archive(tmp_path / "a.pth", content))
    np.testing.assert_array_equal(state["w"], np.arange(6, dtype=np.float32).reshape(2, 3))


def planted(path):
    """The command that a hostile pickle would run."""
    return f"touch {path}"


class Runs:
    """Pickles itself as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


HOSTILE = {
    "os.system": lambda p: Runs(os.system, planted(p)),
    "eval": lambda p: Runs(eval, f"open({str(p)!r}, 'w')"),
    "exec": lambda p: Runs(exec, f"open({str(p)!r}, 'w')"),
    "open": lambda p: Runs(open, str(p), "w"),
    "in a tuple": lambda p: (1, [Runs(os.system, planted(p))]),
    "as a key's value": lambda p: {"epoch": 3, "optimizer": {"state": Runs(os.system, planted(p))}},
    "mkdir": lambda p: Runs(os.mkdir, str(p)),
}


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("kind", HOSTILE)
def test_what_a_pickle_would_run_does_not_run(tmp_path, kind, protocol):
    mark = tmp_path / "planted"
    content = pickle.dumps({"w": HOSTILE[kind](mark)}, protocol)
    said = refused(archive(tmp_path / "a.pth", content))
    assert not mark.exists()
    if protocol >= 2:
        assert "names " in said
        assert "torch.save(model.state_dict(), path)" in said
    legacy = tmp_path / "b.pth"
    legacy.write_bytes(content)  # where a file that torch.save wrote begins with a number
    refused(legacy)
    assert not mark.exists()
    pickle.loads(content)  # as torch.load did for years
    assert mark.exists()


@pytest.mark.parametrize("stack", [False, True], ids=["GLOBAL", "STACK_GLOBAL"])
def test_no_module_is_imported(tmp_path, monkeypatch, stack):
    (tmp_path / "planted_module.py").write_text(f"open({str(tmp_path / 'planted')!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    function = text("planted_module") + text("f") + b"\x93" if stack else name("planted_module", "f")
    said = refused(archive(tmp_path / "a.pth", saved(call(function))))
    assert "names planted_module.f, which is no part of a state dict" in said
    assert not (tmp_path / "planted").exists()


LONG = 10**6
FLOATS, PLACE = name("torch", "FloatStorage"), (text("0"), text("cpu"), whole(6))
NETWORKS = [text(key) + b"}(" + text("w") + tensor() + b"u" for key in ("generator", "critic")]
DAMAGED = {
    # opcodes
    "INST": (b"(S'true'\nios\nsystem\n.", "opcode"),
    "OBJ": (b"(" + name("os", "system") + text("true") + b"o.", "names os.system"),
    "NEWOBJ_EX": (saved(name("collections", "OrderedDict") + b")}\x92"), "opcode NEWOBJ_EX"),
    "an object of a class of others": (saved(name("os", "PathLike") + b")\x81"), "names os.PathLike"),
    "an extension's code": (saved(b"\x82\x01"), "opcode EXT1"),
    "a persistent id as text": (saved(b"P0\n"), "opcode PERSID"),
    "a long integer of 2 GB": (saved(b"\x8b\xff\xff\xff\x7f"), "damaged"),
    "a long integer of a megabyte": (saved(b"\x8b" + struct.pack("<i", LONG) + b"\x7f" * LONG), "opcode LONG4"),
    "a text of 2**63 bytes": (saved(b"\x8d" + struct.pack("<Q", 2**63)), "damaged"),
    "a frame of 2**63 bytes": (b"\x80\x04\x95" + struct.pack("<Q", 2**63) + b"}(", "damaged"),
    "bytes of 4 GB": (saved(b"B\xff\xff\xff\xff"), "damaged"),
    "a number in letters": (saved(b"I" + b"9" * 5000 + b"\n"), "damaged"),
    "no end": (saved()[:-1], "damaged"),
    "nothing": (b"", "damaged"),
    "an empty stack": (b"\x80\x02.", "damaged"),
    "no mark": (b"\x80\x02}u.", "damaged"),
    "a key without a value": (b"\x80\x02}(" + text("w") + b"u.", "damaged"),
    "a memo that is not there": (saved(b"h\x07"), "damaged"),
    "a pickle of 10 MB": (b"\x80\x02](" + b"N" * 10 * LONG + b"e.", "claims"),
    "an unknown opcode": (b"\x80\x02\xff.", "damaged"),
    # calls
    "a call of a storage": (saved(call(name("torch", "FloatStorage"), whole(4))), "calls something"),
    "a call of a tensor": (saved(tensor() + group() + b"R"), "calls something"),
    "a call without arguments": (saved(name("collections", "OrderedDict") + b"NR"), "calls something"),
    "torch.load": (saved(call(name("torch", "load"), text("x"))), "names torch.load"),
    "a name with a line's end": (saved(text("a\nb") + text("c\x1b[2J") + b"\x93"), r"names a\\nb.c\\x1b\[2J"),
    "a name of numbers": (saved(whole(1) + whole(2) + b"\x93"), "names something that is not a text"),
    "attributes of a list": (saved(b"]}b"), "sets attributes of a list"),
    "entries of a tuple": (saved(b")(" + text("a") + b"Nu"), "sets entries of a tuple"),
    "items of a dict": (saved(b"}Na"), "appends to a dict"),
    "an ordered dict of numbers": (saved(call(name("collections", "OrderedDict"), b"](K\x01K\x02e")), "ordered dict"),
    "a parameter of nothing": (saved(call(name("torch._utils", "_rebuild_parameter"))), "parameter"),
    "a tensor of nothing": (saved(call(name("torch._utils", "_rebuild_tensor_v2"))), "whole numbers"),
    # storages
    "a persistent id in another": (
        saved(group(text("storage"), name("torch", "FloatStorage"), storage()) + b"Q"),
        "outside",
    ),
    "a storage of tensors": (
        saved(group(text("storage"), tensor(), text("0"), text("cpu"), whole(6)) + b"Q"),
        "outside",
    ),
    "a storage of names": (saved(storage("OrderedDict", module="collections")), "outside"),
    "a module as storage": (saved(group(text("module"), text("a"), text("b")) + b"Q"), "outside"),
    "a number as key": (
        saved(tensor(group(text("storage"), name("torch", "FloatStorage"), whole(0), text("cpu"), whole(6)) + b"Q")),
        "outside",
    ),
    "complex numbers": (saved(tensor(storage("ComplexFloatStorage"))), "names torch.ComplexFloatStorage"),
    "a storage that is not there": (saved(tensor(storage(key="1"))), "'1', is not in the archive"),
    "a storage outside": (saved(tensor(storage(key="../../data.pkl"))), "is not in the archive"),
    "a storage that is the pickle": (saved(tensor(storage(key="../data.pkl"))), "is not in the archive"),
    "more numbers than there are": (saved(tensor(storage(size=7))), "has 24 bytes; its tensor needs 28"),
    "a storage of 8 GB": (saved(tensor(storage(size=2**31 - 1))), "needs 8589934588"),
    "fewer numbers than there are": (saved(tensor(storage(size=5), shape=(5,), strides=(1,))), "needs 20"),
    "another dtype than there is": (saved(tensor(storage("DoubleStorage"))), "needs 48"),
    "a negative size": (saved(tensor(storage(size=-1))), "outside"),
    # tensors
    "an offset beyond": (saved(tensor(offset=1)), "beyond its storage"),
    "a negative offset": (saved(tensor(offset=-1)), "whole numbers"),
    "sides beyond": (saved(tensor(shape=(3, 3))), "beyond its storage"),
    "strides beyond": (saved(tensor(strides=(4, 1))), "beyond its storage"),
    "a stride of zero": (saved(tensor(shape=(LONG, LONG), strides=(0, 0))), "in one place"),
    "strides that overlap": (saved(tensor(strides=(1, 1))), "in one place"),
    "a negative stride": (saved(tensor(offset=5, strides=(-3, -1))), "whole numbers"),
    "more sides than strides": (saved(tensor(strides=(1,))), "whole numbers"),
    "65 sides": (saved(tensor(shape=(1,) * 65, strides=(1,) * 65)), "whole numbers"),
    "an empty one with large sides": (saved(tensor(shape=(0, 2**31 - 1, 2**31 - 1), strides=(1, 1, 1))), "empty"),
    # what is saved
    "a list": (b"\x80\x02].", "holds a list"),
    "a tensor": (b"\x80\x02" + tensor() + b".", "holds a Tensor"),
    "no tensors": (saved(whole(1), entry="epoch"), "no tensors by name; at the top are epoch"),
    "nothing in it": (b"\x80\x02}.", "no entries"),
    "two networks": (
        b"\x80\x02}("
        + b"".join(text(k) + b"}(" + text("w") + tensor() + b"u" for k in ("generator", "critic"))
        + b"u.",
        r"several state dicts \(generator, critic\)",
    ),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damage_is_one_line(tmp_path, kind):
    content, expected = DAMAGED[kind]
    with pytest.raises(InputError, match=expected):
        read_state_dict(archive(tmp_path / "a.pth", content))
    refused(tmp_path / "a.pth")


def test_a_pickle_of_too_many_opcodes(tmp_path, monkeypatch):
    path = archive(tmp_path / "a.pth", b"\x80\x02](" + b"N" * 1000 + b"e.")
    assert "holds a list" in refused(path)
    monkeypatch.setattr("cnnviz.interop.torch.pickled.MOST_OPCODES", 1000)
    assert "has more than 1000 opcodes" in refused(path)


def nested(opening, closing, depth=50_000):
    return saved(opening * depth + b"N" + closing * depth)


@pytest.mark.parametrize(
    "content",
    [
        nested(b"]", b"a"),
        nested(b"", b"\x85"),
        b"\x80\x02}(" + text("a") + b"]q\x00" + b"(h\x00h\x00h\x00eq\x00" * 300 + b"u.",
        b"\x80\x02}(" + text("a") + b")q\x00" + b"0h\x00h\x00\x86q\x00" * 300 + b"0h\x00K\x01su.",
        b"\x80\x02}q\x00" + text("a") + b"h\x00s.",
    ],
    ids=["lists", "tuples", "a list in itself", "tuples of tuples", "a dict in itself"],
)
def test_what_is_nested_many_times_is_one_line(tmp_path, content):
    refused(archive(tmp_path / "a.pth", content))


def test_dicts_of_dicts_are_looked_at_once(tmp_path):
    """Three levels with ten thousand entries each, all of them one dict: 10 ** 12 places."""
    level = b"}q\x01"
    for _ in range(3):
        level = (
            b"}(" + text("0") + level + b"q\x01" + b"".join(text(str(i)) + b"h\x01" for i in range(1, 10_000)) + b"u"
        )
    assert "no tensors" in refused(archive(tmp_path / "a.pth", b"\x80\x02" + level + b"."))


def test_files_that_torch_wrote_and_that_are_not_state_dicts():
    assert "names __main__.Tutorial" in refused(GOLDENS / "whole.pth")
    assert "TorchScript" in refused(GOLDENS / "scripted.pt")


def test_archives_that_torch_did_not_write(tmp_path):
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("other.txt", "x")
    assert "0 files data.pkl" in refused(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a/data.pkl", saved())
        file.writestr("b/data.pkl", saved())
    assert "2 files data.pkl" in refused(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a/data.pkl", b"\x80\x02" + b"N" * 10**7 + b".")
    assert "claims 10000003 bytes" in refused(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as file:
        file.writestr("a/data.pkl", saved())
    assert "compressed by a method" in refused(path)


def test_a_storage_that_many_members_share_is_counted_each_time(tmp_path):
    """Entries of the directory that all point at one member: each is read, so that together they exceed the file."""
    path, data = tmp_path / "a.pth", bytes(4 * 10_000)
    tensors = b"".join(text(f"w{i}") + tensor(storage(key=str(i), size=10_000)) for i in range(50))
    archive(path, b"\x80\x02}(" + tensors + b"u.", {"0": data})
    with zipfile.ZipFile(path, "a") as file:
        info = file.getinfo("weights/data/0")
        for i in range(1, 50):
            other = zipfile.ZipInfo(f"weights/data/{i}")
            for field in ("header_offset", "CRC", "compress_size", "file_size", "compress_type"):
                setattr(other, field, getattr(info, field))
            file.filelist.append(other)
            file.NameToInfo[other.filename] = other
        file._didModify = True
    assert "more bytes than the file has" in refused(path)


def test_big_endian_numbers(tmp_path):
    data = np.arange(6, dtype=">f4").tobytes()
    state = read_state_dict(archive(tmp_path / "a.pth", saved(), {"0": data}, byteorder=b"big"))
    np.testing.assert_array_equal(state["w"], np.arange(6).reshape(2, 3))


def legacy(*pickles, tail=b""):
    facts = [pickle.dumps(0x1950A86A20F9469CFC6C, 2), pickle.dumps(1001, 2), pickle.dumps({"little_endian": True}, 2)]
    return b"".join([*facts, *pickles]) + tail


NUMBERS = struct.pack("<q", 6) + np.arange(6, dtype="<f4").tobytes()
KEYS = pickle.dumps(["0"], 2)
LEGACY = {
    "cut off": (legacy(saved(), KEYS, tail=NUMBERS[:-1]), "cut off"),
    "no keys": (legacy(saved(), pickle.dumps([], 2), tail=NUMBERS), "is not in it"),
    "no list of keys": (legacy(saved()), "damaged"),
    "a key of another": (legacy(saved(), pickle.dumps(["0", "1"], 2), tail=NUMBERS), "list of storages"),
    "a key twice": (legacy(saved(), pickle.dumps(["0", "0"], 2), tail=2 * NUMBERS), "list of storages"),
    "another count": (legacy(saved(), KEYS, tail=struct.pack("<q", 5) + NUMBERS[8:]), "has 5 numbers"),
    "a huge storage": (legacy(saved(tensor(storage(size=2**31 - 1))), KEYS, tail=NUMBERS), "cut off"),
    "another magic number": (pickle.dumps(7, 2) * 2, "not one that torch.save wrote"),
    "a plain pickle": (pickle.dumps({"w": [1.0]}, 2), "damaged|not one"),
    "a hostile one": (legacy(pickle.dumps(Runs(os.system, "true"), 2), KEYS), "names posix.system"),
}


@pytest.mark.parametrize("kind", LEGACY)
def test_damage_of_the_older_format(tmp_path, kind):
    path = tmp_path / "a.pth"
    path.write_bytes(legacy(saved(), KEYS, tail=NUMBERS))
    np.testing.assert_array_equal(read_state_dict(path)["w"], np.arange(6).reshape(2, 3))
    content, expected = LEGACY[kind]
    path.write_bytes(content)
    with pytest.raises(InputError, match=expected):
        read_state_dict(path)
    refused(path)


def test_files_of_other_kinds(tmp_path):
    path = tmp_path / "a.safetensors"
    for content in (
        b"",
        b"x",
        b"\x00" * 600,
        b"\xff" * 8 + b"{",
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 9) + b"{",
    ):
        path.write_bytes(content)
        refused(path)
    refused(tmp_path)
    refused(tmp_path / "missing.pth")


def test_a_type_of_numbers_that_numpy_does_not_have(tmp_path):
    header = b'{"w":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}}'
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"ab")
    assert "F8_E4M3" in refused(path)


def test_a_message_that_quotes_a_file_is_one_line(tmp_path):
    """The library of safetensors quotes what stands for a dtype, whatever it is."""
    header = b'{"a":{"dtype":"F\x1b[2J\\n","shape":[1],"data_offsets":[0,4]}}'.replace(b"\x1b", b"\\u001b")
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 4)
    assert r"F\x1b[2J\n" in refused(path)
