// Inner loops that are compiled once per instruction set and chosen at run time.
//
// The same source (isa/*.cpp) is built for baseline x86-64, AVX2+FMA and AVX-512 (baseline alone on
// other machines; that of 64-bit ARM has NEON). Sketch entries have the same bits in all of them.
#pragma once

#include <cstdint>

#include "subspan/cube.hpp"
#include "subspan/sketch_operator.hpp"
#include "subspan/types.hpp"

namespace subspan {

/// Columns of a packed tile: 256 bytes, so that a row of a tile is four cache lines.
template <class T>
inline constexpr index tile_cols = 256 / static_cast<index>(sizeof(T));
/// Rows of a packed tile: tile_rows x tile_cols is 32 KiB and stays in the first-level cache.
inline constexpr index tile_rows = 128;

/// Columns of a panel whose rows are one cache line.
template <class T>
inline constexpr index panel_cols = 64 / static_cast<index>(sizeof(T));

/// The rows of one tile that add to one row of the sketch: first `plus` of them with sign +1, then
/// `minus` with sign -1, each in ascending order.
struct Bucket {
    std::uint32_t row;  // row of the sketch
    std::uint16_t plus, minus;
};

/// The nonzeros of a block of tile_rows columns of an operator, `plus` of them with sign +1, then
/// `minus` with sign -1: 256 times the row of the sketch, plus the row of the tile.
struct SignList {
    const std::uint32_t* entries;
    index plus, minus;
};

/// How a matrix stored by rows or by columns is read: real scalars, `components` of them per entry.
template <class T>
struct PackedSource {
    const T* data;
    index ld;        // in entries
    bool by_rows;    // entries of a row are contiguous
    int components;  // 1 real, 2 complex
};

template <class T>
struct IsaKernels {
    /// Packs scalars (row0 + r, col0 + c) of A, c < cols, into tiles one after the other, zero padded
    /// to tile_cols; adds squares to norms2[c] unless null (padded to whole tiles, 64-byte aligned).
    void (*pack)(const PackedSource<T>& A, index row0, index rows, index col0, index cols,
                 T* packed, double* norms2);
    /// Y[bucket.row][:] += signed sum of the tile rows in the bucket; Y has tile_cols columns.
    void (*add_buckets)(const T* tile, const Bucket* buckets, index count,
                        const std::uint16_t* rows, T* Y);
    /// Y[sketch row][:] += signed tile row for every entry of the list, the tile being tile_rows
    /// entries of each of panel_cols columns; adds squares to norms2 unless null.
    void (*add_signed_columns)(const T* const* columns, const SignList& list, T* Y, double* norms2);
    /// P[s][:] += sum_r G[r][s] tile[r][:]; s < probes, a multiple of 4.
    void (*add_probes)(const T* tile, index rows, const T* G, index probes, T* P);
    /// sum[:] = sum_e values[e] table[rows[e]][:]; table and sum have tile_cols columns.
    void (*combine_rows)(const T* values, const index* rows, index count, const T* table, T* sum);
    /// In-place unnormalised Walsh-Hadamard transform of `order` rows of `width` scalars.
    void (*hadamard)(T* data, index order, index width);
};

struct RngKernels {
    /// out[(i - i0) ld + (p - p0)] = unscaled entry (i, p) of a Gaussian or Rademacher operator.
    void (*fill_float)(const SketchOperator& S, index i0, index ni, index p0, index np, float* out,
                       index ld);
    void (*fill_double)(const SketchOperator& S, index i0, index ni, index p0, index np,
                        double* out, index ld);
    /// out[(p - p0) nnz + g] = the nonzero of column p of a sparse-sign operator in its group g.
    void (*fill_nonzeros)(const SketchOperator& S, index p0, index np, SignedRow* out);
};

template <class T>
const IsaKernels<T>& isa_kernels();
const RngKernels& rng_kernels();
const ColumnKernels& column_kernels();

/// Name of the instruction set in use: "avx512", "avx2" or "baseline".
const char* isa_name();

}  // namespace subspan
