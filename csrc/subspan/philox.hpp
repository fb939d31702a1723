// Counter-based random numbers: every number is a pure function of (key, counter), so that an entry
// of a random matrix depends on its position alone, whatever the tile, thread, device or compiler.
//
// Generator: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2,
// 3", SC 2011). Counter layout "philox-v1", see counter_at(). The normal numbers use only operations
// that IEEE 754 rounds correctly (int -> float below 2^24, fma, multiply, add, sqrt), hence the same
// bits everywhere; compile with contraction off.
#pragma once

#include <bit>
#include <cstdint>

#include "subspan/types.hpp"

namespace subspan {

inline constexpr int counter_layout_version = 1;

struct RngKey {
    std::uint32_t lo = 0, hi = 0;
    constexpr RngKey() = default;
    constexpr explicit RngKey(std::uint64_t seed)
        : lo(static_cast<std::uint32_t>(seed)), hi(static_cast<std::uint32_t>(seed >> 32)) {}
};

struct Words4 {
    std::uint32_t w[4];
    constexpr bool operator==(const Words4&) const = default;
};

SUBSPAN_HD constexpr Words4 philox(Words4 c, RngKey k) {
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c.w[0];
        const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c.w[2];
        c = {{static_cast<std::uint32_t>(p1 >> 32) ^ c.w[1] ^ k.lo, static_cast<std::uint32_t>(p1),
              static_cast<std::uint32_t>(p0 >> 32) ^ c.w[3] ^ k.hi,
              static_cast<std::uint32_t>(p0)}};
        k.lo += 0x9E3779B9u;
        k.hi += 0xBB67AE85u;
    }
    return c;
}

// Known answers of the Random123 distribution, checked by every compiler that reads this header.
static_assert(philox({{0, 0, 0, 0}}, RngKey(0)) ==
              Words4{{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}});
static_assert(philox({{~0u, ~0u, ~0u, ~0u}}, RngKey(~std::uint64_t{0})) ==
              Words4{{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu}});
static_assert(philox({{0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}},
                     RngKey(0x299f31d0a4093822u)) ==
              Words4{{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u}});

/// What a stream of numbers is for; part of the counter, so that uses of one seed never overlap.
enum class Stream : std::uint32_t {
    Words = 0,
    Gaussian = 1,
    Rademacher = 2,
    SparseSign = 3,
    HadamardSign = 4,
    Permutation = 5,
    RowSampling = 6,
    WeightedSampling = 7,
    Rejection = 8,
};

/// One operand's numbers: which seed, which operand of the algorithm, which repetition.
struct StreamId {
    RngKey key;
    std::uint32_t operand = 0;     // 16 bits: 0 sketch, 1 probe, ...
    std::uint32_t repetition = 0;  // fresh sketches of an adaptive method
};

/// Counter of the Philox call for row i of the operand and block `p_block` along its long dimension:
/// (p_block low 32, i (24 bits) | p_block bits 32..39 << 24, lane | stream << 8 | operand << 16,
/// repetition).
SUBSPAN_HD constexpr Words4 counter_at(const StreamId& id, Stream stream, std::uint64_t i,
                                       std::uint64_t p_block, std::uint32_t lane = 0) {
    return {{static_cast<std::uint32_t>(p_block),
             static_cast<std::uint32_t>(i & 0xFFFFFFu) |
                 static_cast<std::uint32_t>((p_block >> 32) << 24),
             lane | static_cast<std::uint32_t>(stream) << 8 | id.operand << 16, id.repetition}};
}

/// Four words for the positions 4 p_block .. 4 p_block + 3 of row i.
SUBSPAN_HD constexpr Words4 words_at(const StreamId& id, Stream stream, std::uint64_t i,
                                     std::uint64_t p_block, std::uint32_t lane = 0) {
    return philox(counter_at(id, stream, i, p_block, lane), id.key);
}

/// floor(x * bound / 2^32): an integer below `bound` with bias at most bound / 2^32.
SUBSPAN_HD constexpr std::uint32_t below(std::uint32_t x, std::uint32_t bound) {
    return static_cast<std::uint32_t>((std::uint64_t{x} * bound) >> 32);
}

/// Uniform in (0, 1) with 53 bits, from two words; never 0 or 1.
SUBSPAN_HD constexpr double uniform53(std::uint32_t hi, std::uint32_t lo) {
    const std::uint64_t bits = (std::uint64_t{hi} << 32 | lo) >> 12;  // 52 bits, then the midpoint
    return (static_cast<double>(bits) + 0.5) * 0x1p-52;
}

// nvcc must not be told to take constexpr functions of the standard library for device code
// (--expt-relaxed-constexpr): std::popcount is then 0 for every number, without a warning.
namespace detail {
SUBSPAN_HD float fma_rn(float a, float b, float c) {
#if defined(__CUDA_ARCH__)
    return __fmaf_rn(a, b, c);
#else
    return __builtin_fmaf(a, b, c);
#endif
}
SUBSPAN_HD float sqrt_rn(float a) {
#if defined(__CUDA_ARCH__)
    return __fsqrt_rn(a);
#else
    return __builtin_sqrtf(a);
#endif
}
SUBSPAN_HD float float_of_bits(std::uint32_t bits) {
#if defined(__CUDA_ARCH__)
    return __uint_as_float(bits);
#else
    return std::bit_cast<float>(bits);
#endif
}
SUBSPAN_HD std::uint32_t bits_of_float(float x) {
#if defined(__CUDA_ARCH__)
    return __float_as_uint(x);
#else
    return std::bit_cast<std::uint32_t>(x);
#endif
}
SUBSPAN_HD int bit_width(std::uint64_t x) {
#if defined(__CUDA_ARCH__)
    return 64 - __clzll(static_cast<long long>(x));
#else
    return static_cast<int>(std::bit_width(x));
#endif
}
SUBSPAN_HD int popcount(std::uint64_t x) {
#if defined(__CUDA_ARCH__)
    return __popcll(x);
#else
    return std::popcount(x);
#endif
}

/// -2 ln(u), u = (2 (x >> 9) + 1) 2^-24; Horner in fma, relative error below 1e-7.
SUBSPAN_HD float neg2log(std::uint32_t x) {
    const float u = static_cast<float>(static_cast<std::int32_t>(2u * (x >> 9) + 1u));
    const std::uint32_t b = bits_of_float(u);
    const std::int32_t e = static_cast<std::int32_t>(b - 0x3f3504f3u) >> 23;
    const float m = float_of_bits(b - (static_cast<std::uint32_t>(e) << 23));
    const float f = m - 1.0f;  // m in [sqrt(1/2), sqrt(2)), f exact
    float p = 0.0697161147145f;
    p = fma_rn(p, f, -0.114797338466f);
    p = fma_rn(p, f, 0.116854199235f);
    p = fma_rn(p, f, -0.124256873315f);
    p = fma_rn(p, f, 0.142490576457f);
    p = fma_rn(p, f, -0.166678023195f);
    p = fma_rn(p, f, 0.200007157489f);
    p = fma_rn(p, f, -0.24999996958f);
    p = fma_rn(p, f, 0.3333333118f);
    const float f2 = f * f;
    const float r = fma_rn(f2 * f, p, -0.5f * f2) + f;
    const float E = static_cast<float>(e - 24);
    float l = fma_rn(E, -2.12194440e-4f, r);
    l = fma_rn(E, 0.693359375f, l);
    return -2.0f * l;
}
}  // namespace detail

struct NormalPair {
    float a, b;
};

/// Two independent N(0, 1) numbers from two words: Box-Muller with our own log, sin and cos.
SUBSPAN_HD NormalPair normal_pair(std::uint32_t x0, std::uint32_t x1) {
    using detail::fma_rn;
    const float R = detail::sqrt_rn(detail::neg2log(x0));
    const std::uint32_t q = x1 >> 30;  // quadrant; the rest is an angle in (-pi/4, pi/4)
    const float t =
        static_cast<float>(static_cast<std::int32_t>(x1 << 2) >> 8) * 5.9604644775390625e-8f;
    const float z = t * t;
    float s = fma_rn(-0.00460214921281f, z, 0.0796802176478f);
    s = fma_rn(s, z, -0.645963477665f);
    s = fma_rn(s, z, 1.57079632195f);
    s = t * s;
    float c = fma_rn(0.00090362806638f, z, -0.0208600695003f);
    c = fma_rn(c, z, 0.253669203655f);
    c = fma_rn(c, z, -1.23370054063f);
    c = fma_rn(c, z, 1.0f);
    const bool odd = q & 1u;
    const float C = odd ? s : c, S = odd ? c : s;
    const std::uint32_t flip_c = ((q + 1u) & 2u) << 30, flip_s = (q & 2u) << 30;
    return {R * detail::float_of_bits(detail::bits_of_float(C) ^ flip_c),
            R * detail::float_of_bits(detail::bits_of_float(S) ^ flip_s)};
}

struct Normal4 {
    float z[4];
};

/// Four N(0, 1) numbers for positions 4 p_block .. 4 p_block + 3 of row i.
SUBSPAN_HD Normal4 normals_at(const StreamId& id, std::uint64_t i, std::uint64_t p_block) {
    const Words4 x = words_at(id, Stream::Gaussian, i, p_block);
    const NormalPair first = normal_pair(x.w[0], x.w[1]), second = normal_pair(x.w[2], x.w[3]);
    return {{first.a, first.b, second.a, second.b}};
}

/// Pseudo-random permutation of 0 .. n-1 evaluated at one point, without storage: a four-round
/// Feistel network on the next even number of bits, walked until the image is below n.
SUBSPAN_HD std::uint64_t permuted(const StreamId& id, std::uint64_t n, std::uint64_t x) {
    if (n < 2) return 0;
    const int bits = detail::bit_width(n - 1);
    const int half = bits < 2 ? 1 : (bits + 1) / 2;
    const std::uint64_t mask = (std::uint64_t{1} << half) - 1;
    do {
        std::uint64_t left = x >> half, right = x & mask;
        for (std::uint32_t round = 0; round < 4; ++round) {
            const Words4 f = philox(counter_at(id, Stream::Permutation, round, right), id.key);
            const std::uint64_t next = left ^ (f.w[0] & mask);
            left = right;
            right = next;
        }
        x = left << half | right;
    } while (x >= n);
    return x;
}

}  // namespace subspan
