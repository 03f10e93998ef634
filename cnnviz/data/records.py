"""Reads the examples in the files of TensorFlow Datasets, in each of its formats, without TensorFlow."""

from collections.abc import Iterator
from pathlib import Path

from cnnviz.errors import needs_extra


def examples(file: Path, format: str, image: str, label: str) -> Iterator[tuple[bytes, int]]:
    """Encoded image and label of each example of a file, in order.

    Raises InputError without the extra `tfds`, FileNotFoundError if the file is missing; for a damaged file each
    format's reader has its own exceptions.
    """
    with needs_extra("tfds", f"{file} cannot be read"):
        from tensorflow_datasets.proto import tf_example_pb2

    if not file.is_file():
        raise FileNotFoundError(f"{file.name} is missing")
    for record in FORMATS[format](file):
        feature = tf_example_pb2.Example.FromString(record).features.feature  # type: ignore[attr-defined]
        (encoded,), (number,) = feature[image].bytes_list.value, feature[label].int64_list.value
        yield encoded, number


def _array_record(file: Path) -> Iterator[bytes]:
    with needs_extra("tfds", f"{file} cannot be read"):
        from array_record.python.array_record_module import ArrayRecordReader

    reader = ArrayRecordReader(str(file))
    try:
        yield from reader.read_all()
    finally:
        reader.close()


def _parquet(file: Path) -> Iterator[bytes]:
    with needs_extra("tfds", f"{file} cannot be read"):
        import pyarrow.parquet

    with open(file, "rb") as stream:
        for batch in pyarrow.parquet.ParquetFile(stream).iter_batches(columns=["data"]):
            yield from batch.column(0).to_pylist()


def _tfrecord(file: Path) -> Iterator[bytes]:
    """The records of a TFRecord file: each is length (8 bytes), checksum of the length (4), data, checksum (4)."""
    with open(file, "rb") as stream:
        while head := stream.read(12):
            length = int.from_bytes(head[:8], "little")
            if len(head) < 12 or length > file.stat().st_size:
                raise EOFError(f"{file} ends early")
            yield stream.read(length)
            stream.read(4)


FORMATS = {"array_record": _array_record, "parquet": _parquet, "tfrecord": _tfrecord}
