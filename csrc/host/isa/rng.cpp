// Filling slabs of dense sketch operators; built once per instruction set, contraction off, so that
// every build writes the same bits (see philox.hpp).
#include "host/isa.hpp"

namespace subspan::SUBSPAN_ISA {
namespace {

inline constexpr int batch = 64;  // Philox calls made side by side, so that the loops vectorise

/// out[4 b + lane] for `blocks` consecutive Philox blocks of row i.
template <class T>
void normals(const StreamId& id, std::uint64_t i, std::uint64_t block0, int blocks, T* out) {
    std::uint32_t c0[batch], c1[batch], c2[batch], c3[batch];
    for (int b = 0; b < batch; ++b) {
        const Words4 c =
            counter_at(id, Stream::Gaussian, i, block0 + static_cast<std::uint64_t>(b));
        c0[b] = c.w[0], c1[b] = c.w[1], c2[b] = c.w[2], c3[b] = c.w[3];
    }
    RngKey k = id.key;
    for (int round = 0; round < 10; ++round) {
        for (int b = 0; b < batch; ++b) {
            const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c0[b];
            const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c2[b];
            c0[b] = static_cast<std::uint32_t>(p1 >> 32) ^ c1[b] ^ k.lo;
            c1[b] = static_cast<std::uint32_t>(p1);
            c2[b] = static_cast<std::uint32_t>(p0 >> 32) ^ c3[b] ^ k.hi;
            c3[b] = static_cast<std::uint32_t>(p0);
        }
        k.lo += 0x9E3779B9u;
        k.hi += 0xBB67AE85u;
    }
    float z0[batch], z1[batch], z2[batch], z3[batch];
    for (int b = 0; b < batch; ++b) {
        const NormalPair p = normal_pair(c0[b], c1[b]);
        z0[b] = p.a, z1[b] = p.b;
    }
    for (int b = 0; b < batch; ++b) {
        const NormalPair p = normal_pair(c2[b], c3[b]);
        z2[b] = p.a, z3[b] = p.b;
    }
    for (int b = 0; b < blocks; ++b) {
        out[4 * b] = static_cast<T>(z0[b]), out[4 * b + 1] = static_cast<T>(z1[b]);
        out[4 * b + 2] = static_cast<T>(z2[b]), out[4 * b + 3] = static_cast<T>(z3[b]);
    }
}

template <class T>
void fill_gaussian(const StreamId& id, index i0, index ni, index p0, index np, T* out, index ld) {
    T piece[4 * batch];
    for (index i = i0; i < i0 + ni; ++i) {
        T* row = out + (i - i0) * ld;
        for (index p = p0 & ~index{3}; p < p0 + np; p += 4 * batch) {
            const index end = p0 + np - p;  // entries wanted from here on
            const bool whole = p >= p0 && end >= 4 * batch;
            T* to = whole ? row + (p - p0) : piece;
            const int blocks = end >= 4 * batch ? batch : static_cast<int>((end + 3) / 4);
            normals(id, static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(p / 4), blocks,
                    to);
            if (!whole)
                for (index q = p < p0 ? p0 - p : 0; q < 4 * blocks && q < end; ++q)
                    row[p - p0 + q] = piece[q];
        }
    }
}

template <class T>
void fill_rademacher(const StreamId& id, index i0, index ni, index p0, index np, T* out, index ld) {
    for (index pt = p0 / 256; pt * 256 < p0 + np; ++pt)
        for (index it = i0 / 16; it * 16 < i0 + ni; ++it) {
            Words4 tile[32];
            for (std::uint32_t lane = 0; lane < 32; ++lane)
                tile[lane] = rademacher_words(id, static_cast<std::uint64_t>(it),
                                              static_cast<std::uint64_t>(pt), lane);
            for (index i = it * 16; i < it * 16 + 16; ++i) {
                if (i < i0 || i >= i0 + ni) continue;
                for (index p = pt * 256; p < pt * 256 + 256; ++p) {
                    if (p < p0 || p >= p0 + np) continue;
                    const RademacherBit at = rademacher_bit(static_cast<std::uint64_t>(i),
                                                            static_cast<std::uint64_t>(p));
                    const bool minus = (tile[at.lane].w[at.bit >> 5] >> (at.bit & 31u)) & 1u;
                    out[(i - i0) * ld + (p - p0)] = minus ? T(-1) : T(1);
                }
            }
        }
}

template <class T>
void fill(const SketchOperator& S, index i0, index ni, index p0, index np, T* out, index ld) {
    if (S.kind == SketchKind::Gaussian)
        fill_gaussian(S.id, i0, ni, p0, np, out, ld);
    else
        fill_rademacher(S.id, i0, ni, p0, np, out, ld);
}

}  // namespace

extern const RngKernels kernels_rng;
const RngKernels kernels_rng{fill<float>, fill<double>};

}  // namespace subspan::SUBSPAN_ISA
