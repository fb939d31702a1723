"""Random numbers: Philox, bit-exact single-precision normals, weighted sampling."""

import numpy as np


def philox4x32(counter, key, rounds=10):
    """Philox4x32 of Salmon et al. (SC11): four words of a counter (..., 4) and a key (..., 2).

    All words are uint32; counter and key broadcast against each other.
    """
    low = np.uint64(0xFFFFFFFF)
    half = np.uint64(32)
    c0, c1, c2, c3 = (np.asarray(counter, dtype=np.uint64)[..., i] for i in range(4))
    k0, k1 = (np.asarray(key, dtype=np.uint64)[..., i] for i in range(2))
    for _ in range(rounds):
        p0 = np.uint64(0xD2511F53) * c0
        p1 = np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (p1 >> half) ^ c1 ^ k0, p1 & low, (p0 >> half) ^ c3 ^ k1, p0 & low
        k0 = (k0 + np.uint64(0x9E3779B9)) & low
        k1 = (k1 + np.uint64(0xBB67AE85)) & low
    return np.stack(np.broadcast_arrays(c0, c1, c2, c3), axis=-1).astype(np.uint32)


def fma32(a, b, c):
    """``a * b + c`` of float32 numbers, rounded once.

    The product is exact in float64. The sum is rounded *to odd* there: by Knuth's two-sum its
    rounding error is known exactly, and an inexact result with even last bit is replaced by
    its neighbour on the side of the error. Since 53 >= 24 + 2, rounding that to float32 is
    the correct rounding of the exact value.
    """
    product = np.multiply(a, b, dtype=np.float64)
    c = np.asarray(c, dtype=np.float64)
    total = product + c
    c_part = total - product
    error = (product - (total - c_part)) + (c - c_part)
    is_even = total.view(np.int64) & 1 == 0
    neighbour = np.nextafter(total, np.copysign(np.inf, error))
    return np.where((error != 0) & is_even, neighbour, total).astype(np.float32)


def normals(words):
    """Four standard normals, float32, of four Philox words; shape ``(..., 4)`` both.

    Box-Muller on words (0, 1) and (2, 3) with polynomial logarithm, sine and cosine, made of
    operations that IEEE 754 rounds correctly. Every intermediate is float32.
    """
    words = np.asarray(words, dtype=np.uint32)
    z0, z1 = _box_muller(words[..., 0], words[..., 1])
    z2, z3 = _box_muller(words[..., 2], words[..., 3])
    return np.stack([z0, z1, z2, z3], axis=-1)


def exponential_race(weights, uniforms, count):
    """Indices of the `count` smallest keys ``-log(1 - u) / w``, smallest first.

    Equal in law to drawing `count` items one after another, without replacement, with
    probability proportional to weight. Items of weight zero never win.
    """
    weights = np.asarray(weights, dtype=np.float64)
    keys = np.full(weights.shape, np.inf)
    np.divide(-np.log1p(-np.asarray(uniforms)), weights, out=keys, where=weights > 0)
    winners = np.argsort(keys, kind="stable")[:count]
    return winners[np.isfinite(keys[winners])]


def _box_muller(x0, x1):
    radius = np.sqrt(_neg2log(x0))
    quadrant = x1 >> np.uint32(30)
    t = ((x1 << np.uint32(2)).view(np.int32) >> np.int32(8)).astype(np.float32)
    t = t * np.float32(2.0**-24)
    z = t * t
    sin = t * _horner(z, -0.00460214921281, 0.0796802176478, -0.645963477665, 1.57079632195)
    cos = _horner(z, 0.00090362806638, -0.0208600695003, 0.253669203655, -1.23370054063, 1.0)
    odd = quadrant & 1 == 1
    c, s = np.where(odd, sin, cos), np.where(odd, cos, sin)
    c = np.where((quadrant + 1) & 2 != 0, -c, c)
    s = np.where(quadrant & 2 != 0, -s, s)
    return radius * c, radius * s


def _neg2log(x):
    """``-2 log(u)`` for ``u = (2 * (x >> 9) + 1) / 2**24``."""
    u = (2 * (x >> np.uint32(9)) + 1).astype(np.float32)
    bits = u.view(np.int32)
    e = (bits - np.int32(0x3F3504F3)) >> np.int32(23)
    f = (bits - (e << np.int32(23))).view(np.float32) - np.float32(1)
    p = _horner(
        f,
        0.0697161147145,
        -0.114797338466,
        0.116854199235,
        -0.124256873315,
        0.142490576457,
        -0.166678023195,
        0.200007157489,
        -0.24999996958,
        0.3333333118,
    )
    f2 = f * f
    log = fma32(f2 * f, p, np.float32(-0.5) * f2) + f
    exponent = (e - np.int32(24)).astype(np.float32)
    log = fma32(exponent, np.float32(-2.12194440e-4), log)
    log = fma32(exponent, np.float32(0.693359375), log)
    return np.float32(-2) * log


def _horner(x, *coefficients):
    """Polynomial with the highest coefficient first, by fused multiply-adds."""
    value = np.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        value = fma32(value, x, np.float32(c))
    return value
