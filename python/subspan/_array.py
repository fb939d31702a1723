"""The one door for arrays: what is accepted, what is promoted, what is copied, where results go.

Arrays of other libraries come in as numpy views of their memory (:func:`to_host`) and results go
back as arrays of the caller's library (:class:`Library`, :func:`to_caller`). Nothing else knows that
libraries differ.
"""

from __future__ import annotations

import contextlib
import dataclasses
import operator
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .exceptions import DeviceUnavailable

DTYPES = tuple(np.dtype(t) for t in ("float32", "float64", "complex64", "complex128"))
_HOST_DEVICES = {1, 3}  # DLPack's kDLCPU and kDLCUDAHost: memory that the host may read
_T = TypeVar("_T")


class Library:
    """The array library of the caller: numpy, which also stands for SciPy and whatever has no arrays."""

    name = "numpy"

    def give(self, array: Any) -> Any:
        """Return a numpy or sparse array of ours as an array of this library."""
        return array


class _Torch(Library):
    """Tensors share the memory of our arrays; sparse arrays become COO tensors."""

    name = "torch"

    def give(self, array: Any) -> Any:
        torch = sys.modules["torch"]
        if isinstance(array, np.ndarray):
            return torch.from_numpy(array)
        entries = array.tocsr().tocoo()  # in the order that a coalesced tensor has
        return torch.sparse_coo_tensor(
            torch.from_numpy(np.stack(entries.coords).astype(np.int64)),
            torch.from_numpy(entries.data),
            entries.shape,
            is_coalesced=True,
            check_invariants=False,
        )


class _Standard(Library):
    """A library that follows the Python array API standard, JAX among them.

    Without ``jax_enable_x64`` JAX has no 64-bit types: unless A itself has one, results are narrowed
    as JAX narrows everything, indices to int32.
    """

    def __init__(self, A: Any) -> None:
        self.name = type(A).__module__.partition(".")[0]
        self._namespace = A.__array_namespace__()
        self._context: Any = contextlib.nullcontext
        if self.name in ("jax", "jaxlib"):
            jax = sys.modules["jax"]
            wide = jax.config.jax_enable_x64 or np.zeros(0, A.dtype).real.dtype.itemsize == 8
            self.name, self._context = "jax", lambda: jax.enable_x64(wide)

    def give(self, array: Any) -> Any:
        if not isinstance(array, np.ndarray):
            return array
        with self._context():
            return self._namespace.asarray(array)


NUMPY = Library()


def library_of(A: Any) -> Library:
    """Return the library that A is an array of."""
    if isinstance(A, np.ndarray):
        return NUMPY
    if _is_tensor(A):
        return _Torch()
    return _Standard(A) if hasattr(A, "__array_namespace__") else NUMPY


def to_caller(value: _T, library: Library) -> _T:
    """Return a result, or a tuple of arrays, with every array given to the caller's library."""
    if library is NUMPY:
        return value

    def give(part: Any) -> Any:
        ours = isinstance(part, np.ndarray) or is_sparse(part)
        return library.give(part) if ours else part

    return _with_each_part(value, give)


def ldexp(array: NDArray[Any], exponent: Any) -> NDArray[Any]:
    """``array * 2**exponent``, complex or not, where ``2**exponent`` itself may overflow."""
    parts = np.ascontiguousarray(array)
    return np.asarray(np.ldexp(parts.view(parts.real.dtype), exponent).view(parts.dtype))


def caller_of(result: Any) -> Library:
    """Return the library whose arrays a result holds."""
    found = (library_of(part) for part in _parts(result))
    return next((library for library in found if library is not NUMPY), NUMPY)


def from_caller(result: _T) -> _T:
    """Return a result with every array on the host; itself if they are all numpy's."""
    return result if caller_of(result) is NUMPY else _with_each_part(result, to_host)


def _parts(value: Any) -> Iterator[Any]:
    """The leaves of tuples and of those dataclasses that go over to the caller's library."""
    if isinstance(value, tuple):
        for part in value:
            yield from _parts(part)
    elif _changes_library(value):
        for field in dataclasses.fields(value):
            yield from _parts(getattr(value, field.name))
    else:
        yield value


def _changes_library(value: Any) -> bool:
    """Tell the results whose arrays are the caller's from those that stay numpy's."""
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return False
    return not getattr(value, "stays_on_host", False)


def _with_each_part(value: _T, change: Callable[[Any], Any]) -> _T:
    """The same with a function applied to every leaf."""
    if isinstance(value, tuple):
        return tuple(_with_each_part(part, change) for part in value)  # type: ignore[return-value]
    if _changes_library(value):
        result: Any = value
        names = (field.name for field in dataclasses.fields(result))
        parts = {name: _with_each_part(getattr(value, name), change) for name in names}
        return dataclasses.replace(result, **parts)  # type: ignore[no-any-return]
    return change(value)  # type: ignore[no-any-return]


def to_host(A: Any, name: str = "A") -> Any:
    """Return arrays of other libraries as numpy or ``scipy.sparse`` arrays; anything else as it is.

    No copy but for half precision (numpy has no bfloat16), for lazily conjugated or negated tensors,
    and for sparse COO tensors that are not coalesced. Gradients are not followed: a tensor that
    requires them is detached.
    """
    if isinstance(A, np.ndarray):
        return A
    _require_host(A, name)
    if _is_tensor(A):
        return _from_torch(A.detach(), name)
    if hasattr(A, "__dlpack__") and not hasattr(A, "__array__"):
        return np.from_dlpack(A)
    return np.asarray(A) if hasattr(A, "__array_namespace__") else A


def _is_tensor(A: Any) -> bool:
    torch = sys.modules.get("torch")  # no tensor without it
    return torch is not None and isinstance(A, torch.Tensor)


def is_sparse(A: Any) -> bool:
    """Tell a matrix or array of ``scipy.sparse``."""
    if not type(A).__module__.startswith("scipy.sparse"):
        return False
    from scipy.sparse import issparse

    return bool(issparse(A))


def _require_host(A: Any, name: str) -> None:
    """Refuse memory that the host cannot read."""
    library = type(A).__module__.partition(".")[0]
    where, remedy = "", "copy it to the host first"
    if _is_tensor(A):
        if A.device.type != "cpu":
            where, remedy = f"device {A.device}", f"pass {name}.cpu()"
    elif library in ("cupy", "cupyx"):
        where, remedy = "a CUDA device", f"pass {name}.get()"
    elif library in ("jax", "jaxlib") and hasattr(A, "devices"):
        with contextlib.suppress(Exception):  # traced arrays have none
            devices = {device for device in A.devices() if device.platform != "cpu"}
            where = ", ".join(sorted(map(str, devices)))
            remedy = f"pass jax.device_get({name})"
    elif hasattr(A, "__cuda_array_interface__"):
        where = "a CUDA device"
    elif hasattr(A, "__dlpack_device__"):
        kind, number = A.__dlpack_device__()
        if int(kind) not in _HOST_DEVICES:
            where = f"DLPack device ({int(kind)}, {int(number)})"
    if where:
        raise DeviceUnavailable(
            f"{name} is on {where}, and this installation of subspan computes on the CPU only; {remedy}"
        )


def _from_torch(A: Any, name: str) -> Any:
    torch = sys.modules["torch"]
    if A.layout in (torch.sparse_coo, torch.sparse_csr, torch.sparse_csc):
        if A.ndim != 2 or A.dense_dim() != 0:
            raise ValueError(f"{name} must be 2-d, got a sparse tensor of shape {tuple(A.shape)}")
        return _from_sparse_tensor(A, name)
    if A.layout is not torch.strided:
        raise TypeError(
            f"{name} has layout {A.layout}; expected a dense, COO, CSR or CSC tensor, "
            f"e.g. {name}.to_dense()"
        )
    if A.dtype is torch.bfloat16:
        A = A.to(torch.float32)
    try:
        return A.resolve_conj().resolve_neg().numpy()
    except TypeError:
        raise TypeError(
            f"{name} has dtype {A.dtype}; expected float32, float64, complex64 or complex128 "
            "(integers, bools and half precision are promoted)"
        ) from None


def _from_sparse_tensor(A: Any, name: str) -> Any:
    """The same triplets or compressed rows or columns: memory in proportion to the stored entries."""
    from scipy.sparse import coo_array, csc_array, csr_array

    torch = sys.modules["torch"]
    shape = tuple(A.shape)
    if A.layout is torch.sparse_coo:
        A = A.coalesce()
        return coo_array((as_array(A.values(), name), tuple(A.indices().numpy())), shape=shape)
    values = as_array(A.values(), name)
    if A.layout is torch.sparse_csr:
        return csr_array((values, A.col_indices().numpy(), A.crow_indices().numpy()), shape=shape)
    return csc_array((values, A.row_indices().numpy(), A.ccol_indices().numpy()), shape=shape)


def working_dtype(dtype: Any, name: str = "A") -> np.dtype[Any]:
    """Return the precision in which data of this dtype are computed."""
    dtype = np.dtype(dtype)
    native: np.dtype[Any] = dtype.newbyteorder("=")
    if native in DTYPES:
        return np.dtype(native)
    if dtype.kind in "iub":
        return np.dtype(np.float64)
    if dtype == np.float16 or dtype.name == "bfloat16":
        return np.dtype(np.float32)
    raise TypeError(
        f"{name} has dtype {dtype}; expected float32, float64, complex64 or complex128 "
        "(integers, bools and half precision are promoted)"
    )


def as_array(A: Any, name: str = "A") -> NDArray[Any]:
    """Return a numpy array of a working dtype, on the memory of A whenever A has one."""
    if type(A).__module__.partition(".")[0] == "dask":
        raise TypeError(
            f"{name} is a dask array, which subspan does not take yet; pass numpy.asarray({name})"
        )
    A = to_host(A, name)
    if isinstance(A, np.ma.MaskedArray):
        if np.ma.is_masked(A):
            raise ValueError(
                f"{name} has masked entries; fill them first, e.g. with {name}.filled(0)"
            )
        A = A.data
    array = np.asarray(A)
    dtype = working_dtype(array.dtype, name)
    return array if array.dtype == dtype else array.astype(dtype)


def as_matrix(A: Any, name: str = "A") -> NDArray[Any]:
    """Return a 2-d array in a layout that needs no copy inside.

    C and Fortran order, and views of them with a larger leading dimension, pass as they are. An array
    without a unit-stride axis, with a negative or overlapping stride or misaligned memory is copied.
    """
    array = as_array(A, name)
    if array.ndim != 2:
        raise ValueError(f"{name} must be 2-d, got an array of shape {array.shape}")
    if not array.flags.aligned or not _has_leading_dimension(array):
        array = np.array(array, order="C", copy=True)
    return array


def _has_leading_dimension(array: NDArray[Any]) -> bool:
    (m, n), (row, col), item = array.shape, array.strides, array.itemsize
    by_rows = (col == item or n <= 1) and (m <= 1 or (row >= n * item and row % item == 0))
    by_cols = (row == item or m <= 1) and (n <= 1 or (col >= m * item and col % item == 0))
    return by_rows or by_cols


def as_rank(
    rank: Any, largest: int, name: str = "rank", shape: tuple[int, int] | None = None
) -> int:
    """Check an integer rank against its range."""
    if isinstance(rank, (bool, np.bool_)):
        raise TypeError(f"{name}={rank!r} is a bool; expected an int")
    try:
        value = operator.index(rank)
    except TypeError:
        raise TypeError(f"{name} has type {type(rank).__name__}; expected an int") from None
    if not 0 <= value <= largest:
        where = f" for A of shape {shape}" if shape is not None else ""
        raise ValueError(f"{name}={value} must lie in [0, {largest}]{where}")
    return value


def as_tolerance(value: Any, name: str) -> float:
    """Check a tolerance: a finite number, not negative."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} has type {type(value).__name__}; expected a float") from None
    if not (np.isfinite(number) and number >= 0):
        raise ValueError(f"{name}={value!r} must be a finite number, at least 0")
    return number
