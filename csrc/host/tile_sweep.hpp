// One reading of a dense matrix in packed tiles, each of which serves all that is asked of the pass:
// column norms, a sparse-sign sketch, products with a few columns.
#pragma once

#include <algorithm>
#include <vector>

#include "host/dense.hpp"
#include "host/isa.hpp"
#include "host/source.hpp"
#include "host/sparse_sign.hpp"

namespace subspan {

/// The nonzeros of a sparse-sign operator, sorted into buckets for every block of tile_rows rows.
/// The order of a bucket (plus ascending, then minus ascending) depends on positions alone, so the
/// sum has the same bits for every thread count.
struct BucketLists {
    std::vector<Bucket> buckets;      // all blocks, one after the other
    std::vector<index> first_bucket;  // block -> position in buckets
    std::vector<std::uint16_t> rows;  // tile_rows * nnz per block

    BucketLists(Host& ex, const SketchOperator& S) {
        const index blocks = (S.dim + tile_rows - 1) / tile_rows, nnz = S.nnz;
        const index most = std::min<index>(S.size, tile_rows * nnz);  // buckets in a block
        std::vector<Bucket> found(static_cast<std::size_t>(blocks * most));
        std::vector<index> counts(static_cast<std::size_t>(blocks));
        rows.resize(static_cast<std::size_t>(blocks * tile_rows * nnz));
        ex.for_each_task(blocks, [&](index b) {
            counts[static_cast<std::size_t>(b)] =
                sort_block(S, b, found.data() + b * most, rows.data() + b * tile_rows * nnz);
        });
        first_bucket.push_back(0);
        for (index b = 0; b < blocks; ++b) {
            const auto from = found.begin() + b * most;
            buckets.insert(buckets.end(), from, from + counts[static_cast<std::size_t>(b)]);
            first_bucket.push_back(static_cast<index>(buckets.size()));
        }
    }

    /// Counting sort of one block's nonzeros by (sketch row, sign); returns the number of buckets.
    static index sort_block(const SketchOperator& S, index block, Bucket* buckets,
                            std::uint16_t* sorted) {
        const index p0 = block * tile_rows, count = std::min(tile_rows, S.dim - p0);
        const auto nonzeros = sparse_sign_columns(S, p0, count);
        std::vector<std::uint16_t> per_slot(static_cast<std::size_t>(2 * S.size), 0);
        for (const SignedRow s : nonzeros) ++per_slot[s.code];
        std::vector<std::uint16_t> at(per_slot.size());
        std::uint16_t total = 0;
        index used = 0;
        for (std::size_t row = 0; row < per_slot.size() / 2; ++row) {
            const std::uint16_t plus = per_slot[2 * row], minus = per_slot[2 * row + 1];
            at[2 * row] = total;
            at[2 * row + 1] = static_cast<std::uint16_t>(total + plus);
            total = static_cast<std::uint16_t>(total + plus + minus);
            if (plus + minus > 0) buckets[used++] = {static_cast<std::uint32_t>(row), plus, minus};
        }
        for (index r = 0; r < count; ++r)
            for (index g = 0; g < S.nnz; ++g) {
                const SignedRow s = nonzeros[static_cast<std::size_t>(r * S.nnz + g)];
                sorted[at[s.code]++] = static_cast<std::uint16_t>(r);
            }
        return used;
    }
};

/// One sweep over the rows [row0, row0 + rows) of A in column strips: every tile is packed once and
/// serves the column norms, the buckets of the sparse-sign sketch and the Gaussian probes.
template <class R>
struct TileSweep {
    PackedSource<R> A;
    index row0 = 0, rows = 0;  // row0 is a multiple of tile_rows
    index scalars = 0;         // real columns of A: cols, or 2 cols for complex
    const BucketLists* lists = nullptr;
    R* Y = nullptr;  // sketch rows, `ldy` scalars apart
    index sketch_size = 0, ldy = 0;
    R scale_y = 1;
    const R* G = nullptr;  // probes of these rows: G[r * probes + s]
    R* P = nullptr;
    index probes = 0, wanted_probes = 0, ldp = 0;
    R scale_p = 1;
    double* norms2 = nullptr;  // per real column
    bool accumulate = false;   // add to Y and P instead of overwriting them

    static constexpr index W = tile_cols<R>;

    void run(Host& ex) const {
        const index tiles = (scalars + W - 1) / W;
        const index bytes = std::max<index>(1, sketch_size + probes) * 256;
        index strip = std::clamp<index>((index{1} << 19) / bytes, 1, 16);
        strip = std::max<index>(1, std::min(strip, tiles / (2 * ex.threads())));
        const index strips = (tiles + strip - 1) / strip;
        ex.for_each_task(strips, [&](index t) {
            sweep_strip(ex, t * strip, std::min(strip, tiles - t * strip));
        });
    }

  private:
    void sweep_strip(Host& ex, index tile0, index tiles) const {
        const index rows_out = sketch_size + probes;
        Buffer<R, Host> scratch(ex, tiles * (tile_rows + rows_out) * W);
        R* packed = scratch.data();
        R* out = packed + tiles * tile_rows * W;  // per tile: sketch rows, then probe rows
        std::fill(out, out + tiles * rows_out * W, R(0));
        Buffer<double, Host> squares(ex, norms2 ? tiles * W : 0);
        std::fill(squares.data(), squares.data() + squares.size(), 0.0);
        const index cols = std::min(tiles * W, scalars - tile0 * W);
        for (index r = 0; r < rows; r += tile_rows) {
            const index count = std::min(tile_rows, rows - r);
            isa_kernels<R>().pack(A, row0 + r, count, tile0 * W, cols, packed, squares.data());
            for (index t = 0; t < tiles; ++t)
                use_tile(packed + t * tile_rows * W, r, count, out + t * rows_out * W);
        }
        for (index t = 0; t < tiles; ++t) write_tile(tile0 + t, out + t * rows_out * W);
        for (index c = 0; norms2 && c < cols; ++c) norms2[tile0 * W + c] += squares.data()[c];
    }

    void use_tile(const R* tile, index r, index count, R* out) const {
        if (lists != nullptr) {
            const auto block = static_cast<std::size_t>((row0 + r) / tile_rows);
            const index first = lists->first_bucket[block];
            const index nnz = static_cast<index>(lists->rows.size()) /
                              (static_cast<index>(lists->first_bucket.size() - 1) * tile_rows);
            isa_kernels<R>().add_buckets(
                tile, lists->buckets.data() + first, lists->first_bucket[block + 1] - first,
                lists->rows.data() + static_cast<index>(block) * tile_rows * nnz, out);
        }
        if (probes > 0)
            isa_kernels<R>().add_probes(tile, count, G + r * probes, probes, out + sketch_size * W);
    }

    void write_tile(index tile, const R* from) const {
        write_rows(tile, from, sketch_size, Y, ldy, scale_y);
        write_rows(tile, from + sketch_size * W, wanted_probes, P, ldp, scale_p);
    }

    void write_rows(index tile, const R* from, index count, R* to, index ld, R scale) const {
        for (index i = 0; i < count; ++i) {
            R* row = to + i * ld + tile * W;
            const R* sums = from + i * W;
            const index w = width(tile);
            if (accumulate)
                for (index c = 0; c < w; ++c) row[c] += scale * sums[c];
            else
                for (index c = 0; c < w; ++c) row[c] = scale * sums[c];
        }
    }

    index width(index tile) const { return std::min(W, scalars - tile * W); }
};

/// Probe entries of rows [row0, row0 + rows) in the order the tile kernel reads them.
template <class R>
std::vector<R> probe_panel(Host& ex, const SketchOperator& G, index row0, index rows,
                           index padded) {
    Buffer<R, Host> columns(ex, rows * G.size);
    fill_transposed<R>(ex, G, 0, row0, columns.matrix(rows, G.size));
    std::vector<R> panel(static_cast<std::size_t>(rows * padded), R(0));
    for (index s = 0; s < G.size; ++s)
        for (index r = 0; r < rows; ++r)
            panel[static_cast<std::size_t>(r * padded + s)] = columns.data()[s * rows + r];
    return panel;
}

template <class T>
TileSweep<real_t<T>> sweep_of(const DenseSource<T>& A) {
    using R = real_t<T>;
    constexpr int components = is_complex<T> ? 2 : 1;
    TileSweep<R> sweep;
    sweep.A = {reinterpret_cast<const R*>(A.data), A.ld, A.by_rows, components};
    sweep.scalars = A.cols * components;
    return sweep;
}

}  // namespace subspan
