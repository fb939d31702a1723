"""The one door for arrays: what is accepted, what is promoted, what is copied."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray

DTYPES = tuple(np.dtype(t) for t in ("float32", "float64", "complex64", "complex128"))


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
    """Return a numpy array of a working dtype; the array itself whenever it has one."""
    library = type(A).__module__.partition(".")[0]
    if library in {"torch", "cupy", "jax", "jaxlib", "dask"}:
        raise TypeError(
            f"{name} is a {library} array, which subspan does not take yet; pass numpy.asarray({name})"
        )
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
