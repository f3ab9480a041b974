"""Read the tensors of a PyTorch weights file without PyTorch, and without running what it holds.

Both layouts are read: the older stream of pickles and the zip archive. Of pickle's instructions only
those that rebuild plain tensors are followed; anything else is refused (a pickle can run code).
"""

import io
import pickle  # only through the unpickler below, which finds no function but its own
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from fakesweep.errors import TrainingError

STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


@dataclass(frozen=True)
class _Tensor:
    """Where a tensor lies: counts of elements in the storage `key`."""

    key: str
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Read a state dictionary: tensors by name.

    Raises:
        TrainingError: The file cannot be read, or holds anything but named tensors.
    """
    try:
        if zipfile.is_zipfile(path):
            return _read_zip(path)
        with path.open("rb") as stream:
            return _read_stream(stream)
    except (
        OSError,
        EOFError,
        KeyError,
        ValueError,
        TypeError,
        IndexError,
        AttributeError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
    ) as error:
        raise TrainingError(f"{path}: expected named PyTorch tensors; received: {error}") from error


def _read_stream(stream: IO[bytes]) -> dict[str, NDArray[Any]]:
    for _ in range(3):  # a mark, the protocol, the writer's machine
        _Unpickler(stream).load()
    tensors = _check(_Unpickler(stream).load())
    dtypes = {tensor.key: tensor.dtype for tensor in tensors.values()}
    storages = {}
    for key in _Unpickler(stream).load():
        count = int.from_bytes(stream.read(8), "little")
        dtype = np.dtype(dtypes[key])
        storages[key] = np.frombuffer(stream.read(count * dtype.itemsize), dtype)
    return {name: _place(tensor, storages[tensor.key]) for name, tensor in tensors.items()}


def _read_zip(path: Path) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(path) as archive:
        index = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        tensors = _check(_Unpickler(io.BytesIO(archive.read(index))).load())
        folder = index.removesuffix("data.pkl")
        return {
            name: _place(
                tensor, np.frombuffer(archive.read(f"{folder}data/{tensor.key}"), tensor.dtype)
            )
            for name, tensor in tensors.items()
        }


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise pickle.UnpicklingError(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> tuple[str, str]:
        kind, dtype, key = pid[:3]
        if kind != "storage" or dtype not in STORAGES.values():
            raise pickle.UnpicklingError(f"a stored {kind!r} of {dtype!r}")
        return str(key), dtype


def _rebuild(storage: tuple[str, str], offset: int, shape: Any, strides: Any, *_: Any) -> _Tensor:
    return _Tensor(*storage, int(offset), tuple(shape), tuple(strides))


def _check(found: Any) -> dict[str, _Tensor]:
    if not isinstance(found, dict) or not all(isinstance(t, _Tensor) for t in found.values()):
        raise ValueError(type(found).__name__)
    return dict(found)


def _place(tensor: _Tensor, storage: NDArray[Any]) -> NDArray[Any]:
    if 0 in tensor.shape:
        return np.empty(tensor.shape, storage.dtype)
    steps = zip(tensor.shape, tensor.strides, strict=True)
    last = tensor.offset + sum((count - 1) * stride for count, stride in steps)
    if min(tensor.strides, default=0) < 0 or not 0 <= tensor.offset <= last < len(storage):
        raise ValueError("a tensor that reaches over the end of the file")
    strides = [stride * storage.itemsize for stride in tensor.strides]
    placed = np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.shape, strides)
    return placed.copy()
