"""EMNIST's six sets of letters and digits: IDX files in one zip archive of 560 MB, or unpacked by torchvision.

Cohen et al., "EMNIST: an extension of MNIST to handwritten letters", 2017.
"""

import string
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from cnnviz.data import idx_sets
from cnnviz.data.dataset import Dataset
from cnnviz.data.published import FILES, Form, Published, differs
from cnnviz.data.search import Known

EVERY = string.digits + string.ascii_uppercase + string.ascii_lowercase
MERGED = string.digits + string.ascii_uppercase + "abdefghnqrt"  # lower case where it differs from upper case
CLASSES = {
    "balanced": MERGED,
    "byclass": EVERY,
    "bymerge": MERGED,
    "digits": string.digits,
    "letters": string.ascii_lowercase,
    "mnist": string.digits,
}
ARCHIVE = "gzip.zip"
# the digest is the one that TensorFlow Datasets registers
DIGESTS = {ARCHIVE: "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e"}


def _from_zip(only: str, name: str, files: Sequence[Path]) -> Dataset:
    found = idx_sets.read_zip(name, files[0], f"emnist-{only}-", CLASSES[only])
    note = differs(files[0], DIGESTS)
    more = (f"{files[0]} is not the published archive: {note}.",) if note else ()
    return replace(found, notes=(*more, *found.notes))


def _from_files(only: str, name: str, files: Sequence[Path]) -> Dataset:
    return idx_sets.read_files(name, files, CLASSES[only])


def _published(only: str) -> Published:
    names = tuple(f"emnist-{only}-{file.replace('t10k', 'test')}" for file in FILES)
    folders = ("", "EMNIST/raw", "EMNIST", "emnist", "gzip", "EMNIST/raw/gzip")
    return Published(
        name=f"emnist_{only}",
        classes=tuple(CLASSES[only]),
        folders=folders,
        url="https://biometrics.nist.gov/cs_links/EMNIST/",
        digests=DIGESTS,
        files=(ARCHIVE,),
        read=partial(_from_zip, only),
        others=(
            Form(names, folders, partial(_from_files, only)),
            Form(("emnist.zip",), ("", "EMNIST/raw", "EMNIST", "emnist"), partial(_from_zip, only)),
        ),
        store="emnist",
    )


PUBLISHED = {only: _published(only) for only in CLASSES}
balanced, byclass, bymerge, digits, letters, mnist = (Known(PUBLISHED[only]) for only in sorted(PUBLISHED))
