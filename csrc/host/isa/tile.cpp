// Packed-tile loops of the fused sketching pass; built once per instruction set (see isa.hpp).
#include "host/isa.hpp"

#include <utility>

namespace subspan::SUBSPAN_ISA {
namespace {

// 64-byte vectors; the compiler splits them where registers are shorter.
template <class T>
struct Vec;
template <>
struct Vec<float> {
    typedef float type __attribute__((vector_size(64)));
    typedef std::int32_t mask __attribute__((vector_size(64)));
    typedef float half __attribute__((vector_size(32)));
};
template <>
struct Vec<double> {
    typedef double type __attribute__((vector_size(64)));
    typedef std::int64_t mask __attribute__((vector_size(64)));
};
template <class T>
using vec = typename Vec<T>::type;
template <class T>
inline constexpr int lanes = 64 / sizeof(T);
inline constexpr int tile_vecs = 4;  // vectors per tile row

template <class T>
vec<T> load(const T* from) {  // unaligned
    vec<T> v;
    __builtin_memcpy(&v, from, sizeof v);
    return v;
}

/// sum += x * x, lane by lane in double precision; `sum` has one double per lane of x.
void add_squares(vec<double> x, double* sum) {
    auto* s = reinterpret_cast<vec<double>*>(sum);
    s[0] += x * x;
}
void add_squares(vec<float> x, double* sum) {
    Vec<float>::half low, high;
    __builtin_memcpy(&low, &x, sizeof low);
    __builtin_memcpy(&high, reinterpret_cast<const char*>(&x) + sizeof low, sizeof high);
    add_squares(__builtin_convertvector(low, vec<double>), sum);
    add_squares(__builtin_convertvector(high, vec<double>), sum + lanes<double>);
}

/// Rows of A are contiguous: whole rows of the strip are read in turn, and asked for `ahead` rows early,
/// since the processor's own prefetching stops at the end of a page.
template <class T, bool with_norms>
void pack_rows(const PackedSource<T>& A, index row0, index rows, index col0, index cols, T* packed,
               double* norms2) {
    constexpr index W = tile_cols<T>, tile_size = tile_rows * W, ahead = 2;
    const index stride = A.ld * A.components, whole = cols / W;
    for (index r = 0; r < rows; ++r) {
        const T* from = A.data + (row0 + r) * stride + col0;
        for (index t = 0; t < whole; ++t) {
            for (int v = 0; v < tile_vecs; ++v)
                __builtin_prefetch(from + ahead * stride + t * W + v * lanes<T>);
            auto* to = reinterpret_cast<vec<T>*>(packed + t * tile_size + r * W);
            for (int v = 0; v < tile_vecs; ++v) {
                const vec<T> x = load(from + t * W + v * lanes<T>);
                to[v] = x;
                if constexpr (with_norms) add_squares(x, norms2 + t * W + v * lanes<T>);
            }
        }
        T* last = packed + whole * tile_size + r * W;
        for (index c = whole * W; c < cols; ++c) {
            last[c - whole * W] = from[c];
            if constexpr (with_norms)
                norms2[c] += static_cast<double>(from[c]) * static_cast<double>(from[c]);
        }
        for (index c = cols; c % W != 0; ++c) last[c - whole * W] = T(0);
    }
}

/// Exchange of the off-diagonal blocks of order h in every diagonal block of order 2 h.
template <class T, int h, int... j>
[[gnu::always_inline]] inline void exchange(vec<T> (&v)[lanes<T>],
                                            std::integer_sequence<int, j...>) {
    constexpr int N = lanes<T>;
#pragma GCC unroll 16
    for (int i = 0; i < N; ++i) {
        if ((i & h) != 0) continue;
        const vec<T> a = v[i], b = v[i + h];
#if defined(__clang__)
        v[i] = __builtin_shufflevector(a, b, ((j & h) == 0 ? j : j - h + N)...);
        v[i + h] = __builtin_shufflevector(a, b, ((j & h) == 0 ? j + h : j + N)...);
#else  // GCC has the other only from version 12
        constexpr typename Vec<T>::mask low = {((j & h) == 0 ? j : j - h + N)...};
        constexpr typename Vec<T>::mask high = {((j & h) == 0 ? j + h : j + N)...};
        v[i] = __builtin_shuffle(a, b, low);
        v[i + h] = __builtin_shuffle(a, b, high);
#endif
    }
}

/// In-register transpose of lanes-by-lanes entries: log2(lanes) rounds of exchanges, written out so
/// that every shuffle is a constant.
template <class T, int h = lanes<T> / 2>
[[gnu::always_inline]] inline void transpose(vec<T> (&v)[lanes<T>]) {
    exchange<T, h>(v, std::make_integer_sequence<int, lanes<T>>());
    if constexpr (h > 1) transpose<T, h / 2>(v);
}

/// Columns of A are contiguous: square blocks are transposed on the way into the tile.
template <class T>
void pack_columns(const PackedSource<T>& A, index row0, index rows, index col0, index cols,
                  T* packed) {
    constexpr index W = tile_cols<T>, N = lanes<T>, tile_size = tile_rows * W;
    const index comp = A.components;
    const auto column = [&](index c) {
        const index entry = (col0 + c) / comp, part = (col0 + c) % comp;
        return A.data + (entry * A.ld + row0) * comp + part;
    };
    const index block_cols = comp == 1 ? cols / N * N : 0, block_rows = rows / N * N;
    for (index c = 0; c < block_cols; c += N)
        for (index r = 0; r < block_rows; r += N) {
            vec<T> v[lanes<T>];
            for (index q = 0; q < N; ++q) __builtin_prefetch(column(c + N + q) + r);
            for (index q = 0; q < N; ++q) v[q] = load(column(c + q) + r);
            transpose<T>(v);
            T* to = packed + c / W * tile_size + c % W;
            for (index q = 0; q < N; ++q) *reinterpret_cast<vec<T>*>(to + (r + q) * W) = v[q];
        }
    for (index c = 0; c < cols; ++c) {
        const T* from = column(c);
        T* to = packed + c / W * tile_size + c % W;
        for (index r = c < block_cols ? block_rows : 0; r < rows; ++r) to[r * W] = from[r * comp];
    }
    T* last = packed + cols / W * tile_size;
    for (index c = cols; c % W != 0; ++c)
        for (index r = 0; r < rows; ++r) last[r * W + c % W] = T(0);
}

template <class T>
void pack(const PackedSource<T>& A, index row0, index rows, index col0, index cols, T* packed,
          double* norms2) {
    constexpr index W = tile_cols<T>;
    if (A.by_rows) {
        if (norms2 != nullptr)
            pack_rows<T, true>(A, row0, rows, col0, cols, packed, norms2);
        else
            pack_rows<T, false>(A, row0, rows, col0, cols, packed, norms2);
        return;
    }
    pack_columns(A, row0, rows, col0, cols, packed);
    if (norms2 == nullptr) return;
    for (index t = 0; t * W < cols; ++t)
        for (index r = 0; r < rows; ++r)
            for (int v = 0; v < tile_vecs; ++v)
                add_squares(load(packed + t * tile_rows * W + r * W + v * lanes<T>),
                            norms2 + t * W + v * lanes<T>);
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
void add_signed_columns(const T* const* columns, const SignList& list, T* Y, double* norms2) {
    constexpr index N = lanes<T>;
    alignas(64) vec<T> tile[tile_rows];
    for (index r = 0; r < tile_rows; r += N) {
        vec<T> v[lanes<T>];
        for (index q = 0; q < N; ++q) {
            __builtin_prefetch(columns[q] + r + tile_rows, 0, 2);
            v[q] = load(columns[q] + r);
        }
        transpose<T>(v);
        for (index q = 0; q < N; ++q) tile[r + q] = v[q];
        for (index q = 0; norms2 != nullptr && q < N; ++q) add_squares(v[q], norms2);
    }
    auto* y = reinterpret_cast<vec<T>*>(Y);
    const std::uint32_t* e = list.entries;
    for (const auto* end = e + list.plus; e < end; ++e) y[*e >> 8] += tile[*e & 255u];
    for (const auto* end = e + list.minus; e < end; ++e) y[*e >> 8] -= tile[*e & 255u];
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

/// Rows of the table are asked for early: they lie anywhere in a table larger than the caches.
template <class T>
void combine_rows(const T* values, const index* rows, index count, const T* table, T* sum) {
    constexpr index W = tile_cols<T>, ahead = 6;
    vec<T> acc[tile_vecs] = {};
    for (index e = 0; e < count; ++e) {
        const T* next = table + rows[e + ahead < count ? e + ahead : count - 1] * W;
        const T* row = table + rows[e] * W;
        for (int v = 0; v < tile_vecs; ++v) {
            __builtin_prefetch(next + v * lanes<T>);
            acc[v] += values[e] * load(row + v * lanes<T>);
        }
    }
    for (int v = 0; v < tile_vecs; ++v) reinterpret_cast<vec<T>*>(sum)[v] = acc[v];
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
const IsaKernels<float> kernels_float{
    pack<float>,       add_buckets<float>,  add_signed_columns<float>,
    add_probes<float>, combine_rows<float>, hadamard<float>};
const IsaKernels<double> kernels_double{
    pack<double>,       add_buckets<double>,  add_signed_columns<double>,
    add_probes<double>, combine_rows<double>, hadamard<double>};

}  // namespace subspan::SUBSPAN_ISA
