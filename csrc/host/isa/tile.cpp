// Packed-tile loops of the fused sketching pass; built once per instruction set (see isa.hpp).
#include "host/isa.hpp"

namespace subspan::SUBSPAN_ISA {
namespace {

// 64-byte vectors; the compiler splits them where registers are shorter.
template <class T>
struct Vec;
template <>
struct Vec<float> {
    typedef float type __attribute__((vector_size(64)));
};
template <>
struct Vec<double> {
    typedef double type __attribute__((vector_size(64)));
};
template <class T>
using vec = typename Vec<T>::type;
inline constexpr index lanes_bytes = 64;
inline constexpr int tile_vecs = 4;  // vectors per tile row

template <class T>
void pack_rows(const PackedSource<T>& A, index row0, index rows, index col0, index cols, T* tile) {
    constexpr index W = tile_cols<T>;
    const index stride = A.ld * A.components;
    for (index r = 0; r < rows; ++r) {
        const T* from = A.data + (row0 + r) * stride + col0;
        T* to = tile + r * W;
        if (cols == W) {
            __builtin_memcpy(to, from, sizeof(T) * static_cast<std::size_t>(W));
        } else {
            for (index c = 0; c < cols; ++c) to[c] = from[c];
            for (index c = cols; c < W; ++c) to[c] = T(0);
        }
    }
}

template <class T>
void pack_columns(const PackedSource<T>& A, index row0, index rows, index col0, index cols,
                  T* tile) {
    constexpr index W = tile_cols<T>;
    const index comp = A.components, block = 8;
    for (index c = 0; c < cols; ++c) {
        const index entry = (col0 + c) / comp, part = (col0 + c) % comp;
        const T* from = A.data + (entry * A.ld + row0) * comp + part;
        for (index r = 0; r < rows; ++r) tile[r * W + c] = from[r * comp];
    }
    (void)block;
    for (index r = 0; r < rows; ++r)
        for (index c = cols; c < W; ++c) tile[r * W + c] = T(0);
}

template <class T>
void pack(const PackedSource<T>& A, index row0, index rows, index col0, index cols, T* tile,
          double* norms2) {
    if (A.by_rows)
        pack_rows(A, row0, rows, col0, cols, tile);
    else
        pack_columns(A, row0, rows, col0, cols, tile);
    if (norms2 == nullptr) return;
    constexpr index W = tile_cols<T>;
    double sum[W];
    for (index c = 0; c < W; ++c) sum[c] = norms2[c];
    for (index r = 0; r < rows; ++r)
        for (index c = 0; c < W; ++c) {
            const double x = tile[r * W + c];
            sum[c] += x * x;
        }
    for (index c = 0; c < W; ++c) norms2[c] = sum[c];
}

template <class T>
void add_buckets(const T* tile, const Bucket* buckets, index count, const std::uint16_t* rows,
                 T* Y) {
    constexpr index W = tile_cols<T>;
    for (index b = 0; b < count; ++b) {
        auto* y = reinterpret_cast<vec<T>*>(Y + static_cast<index>(buckets[b].row) * W);
        vec<T> s0 = y[0], s1 = y[1], s2 = y[2], s3 = y[3];
        for (int e = buckets[b].plus; e > 0; --e) {
            const auto* a = reinterpret_cast<const vec<T>*>(tile + static_cast<index>(*rows++) * W);
            s0 += a[0], s1 += a[1], s2 += a[2], s3 += a[3];
        }
        for (int e = buckets[b].minus; e > 0; --e) {
            const auto* a = reinterpret_cast<const vec<T>*>(tile + static_cast<index>(*rows++) * W);
            s0 -= a[0], s1 -= a[1], s2 -= a[2], s3 -= a[3];
        }
        y[0] = s0, y[1] = s1, y[2] = s2, y[3] = s3;
    }
}

template <class T>
void add_probes(const T* tile, index rows, const T* G, index probes, T* P) {
    constexpr index W = tile_cols<T>;
    for (index s = 0; s < probes; s += 4) {
        vec<T> acc[4][tile_vecs];
        for (int q = 0; q < 4; ++q)
            for (int v = 0; v < tile_vecs; ++v)
                acc[q][v] = reinterpret_cast<const vec<T>*>(P + (s + q) * W)[v];
        for (index r = 0; r < rows; ++r) {
            const auto* a = reinterpret_cast<const vec<T>*>(tile + r * W);
            const T* g = G + r * probes + s;
            for (int q = 0; q < 4; ++q)
                for (int v = 0; v < tile_vecs; ++v) acc[q][v] += g[q] * a[v];
        }
        for (int q = 0; q < 4; ++q)
            for (int v = 0; v < tile_vecs; ++v)
                reinterpret_cast<vec<T>*>(P + (s + q) * W)[v] = acc[q][v];
    }
}

/// One level of the transform: rows at distance `half` become their sum and difference.
template <class T>
void butterfly(T* data, index order, index half, index width) {
    for (index start = 0; start < order; start += 2 * half)
        for (index r = start; r < start + half; ++r) {
            T* u = data + r * width;
            T* v = data + (r + half) * width;
            for (index c = 0; c < width; ++c) {
                const T a = u[c], b = v[c];
                u[c] = a + b;
                v[c] = a - b;
            }
        }
}

/// Halves until the piece fits the first-level cache, so that big orders stream few times.
template <class T>
void hadamard(T* data, index order, index width) {
    const index fits = 32768 / (static_cast<index>(sizeof(T)) * width);
    if (order <= fits || order <= 2) {
        for (index half = order / 2; half >= 1; half /= 2) butterfly(data, order, half, width);
        return;
    }
    butterfly(data, order, order / 2, width);
    hadamard(data, order / 2, width);
    hadamard(data + order / 2 * width, order / 2, width);
}

}  // namespace

extern const IsaKernels<float> kernels_float;
extern const IsaKernels<double> kernels_double;
const IsaKernels<float> kernels_float{pack<float>, add_buckets<float>, add_probes<float>,
                                      hadamard<float>};
const IsaKernels<double> kernels_double{pack<double>, add_buckets<double>, add_probes<double>,
                                        hadamard<double>};

}  // namespace subspan::SUBSPAN_ISA
