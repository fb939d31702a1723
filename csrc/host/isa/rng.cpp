// Filling slabs of dense sketch operators; built once per instruction set, contraction off, so that
// every build writes the same bits (see philox.hpp).
#include "host/isa.hpp"

namespace subspan::SUBSPAN_ISA {
namespace {

/// The words of `batch` consecutive Philox blocks of row i, made side by side, so that the loops
/// vectorise: w[lane][b] is word `lane` of block block0 + b.
template <int batch>
struct Blocks {
    std::uint32_t w[4][batch];

    Blocks(const StreamId& id, Stream stream, std::uint64_t i, std::uint64_t block0) {
        for (int b = 0; b < batch; ++b) {
            const Words4 c = counter_at(id, stream, i, block0 + static_cast<std::uint64_t>(b));
            for (int lane = 0; lane < 4; ++lane) w[lane][b] = c.w[lane];
        }
        RngKey k = id.key;
        for (int round = 0; round < 10; ++round) {
            for (int b = 0; b < batch; ++b) {
                const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * w[0][b];
                const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * w[2][b];
                w[0][b] = static_cast<std::uint32_t>(p1 >> 32) ^ w[1][b] ^ k.lo;
                w[1][b] = static_cast<std::uint32_t>(p1);
                w[2][b] = static_cast<std::uint32_t>(p0 >> 32) ^ w[3][b] ^ k.hi;
                w[3][b] = static_cast<std::uint32_t>(p0);
            }
            k.lo += 0x9E3779B9u;
            k.hi += 0xBB67AE85u;
        }
    }
};

inline constexpr int batch = 64;  // blocks of a row of normal numbers

/// out[4 b + lane] for `blocks` consecutive Philox blocks of row i.
template <class T>
void normals(const StreamId& id, std::uint64_t i, std::uint64_t block0, int blocks, T* out) {
    const Blocks<batch> x(id, Stream::Gaussian, i, block0);
    float z0[batch], z1[batch], z2[batch], z3[batch];
    for (int b = 0; b < batch; ++b) {
        const NormalPair p = normal_pair(x.w[0][b], x.w[1][b]);
        z0[b] = p.a, z1[b] = p.b;
    }
    for (int b = 0; b < batch; ++b) {
        const NormalPair p = normal_pair(x.w[2][b], x.w[3][b]);
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

void fill_nonzeros(const SketchOperator& S, index p0, index np, SignedRow* out) {
    constexpr int blocks = static_cast<int>(tile_rows) / 4;
    const auto nnz = static_cast<std::uint32_t>(S.nnz);
    const index end = p0 + np;
    for (index p = p0 & ~index{3}; p < end; p += 4 * blocks)
        for (std::uint32_t g = 0; g < nnz; ++g) {
            const RowGroup group = row_group(static_cast<std::uint64_t>(S.size), nnz, g);
            const Blocks<blocks> x(S.id, Stream::SparseSign, g, static_cast<std::uint64_t>(p / 4));
            std::uint32_t codes[4][blocks];
            for (int lane = 0; lane < 4; ++lane)
                for (int b = 0; b < blocks; ++b)
                    codes[lane][b] = sparse_sign_nonzero(x.w[lane][b], group).code;
            for (index q = p < p0 ? p0 - p : 0; q < 4 * blocks && p + q < end; ++q)
                out[(p + q - p0) * S.nnz + g] = {codes[q % 4][q / 4]};
        }
}

}  // namespace

extern const RngKernels kernels_rng;
const RngKernels kernels_rng{fill<float>, fill<double>, fill_nonzeros};

}  // namespace subspan::SUBSPAN_ISA
