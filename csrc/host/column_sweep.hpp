// Sparse-sign sketch of a matrix stored by columns, such as the transpose of a row per sample: one
// reading of A, in tiles of tile_rows rows and as many columns as a register has lanes.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "host/dense.hpp"
#include "host/isa.hpp"
#include "host/sparse_sign.hpp"

namespace subspan {

/// The nonzeros of a sparse-sign operator in the order of the sums of BucketLists: in every block of
/// tile_rows rows first those with sign +1, then those with sign -1, each with rows ascending.
class SignLists {
  public:
    SignLists(const SketchOperator& S, index most_rows)
        : nnz_(S.nnz),
          entries_(static_cast<std::size_t>(most_rows * S.nnz)),
          plus_(static_cast<std::size_t>((most_rows + tile_rows - 1) / tile_rows)) {}

    /// Lists rows [row0, row0 + rows) of A, at most as many as there is room for.
    void fill(Host& ex, const SketchOperator& S, index row0, index rows) {
        rows_ = rows;
        ex.for_each_task((rows + tile_rows - 1) / tile_rows, [&](index b) {
            const index first = b * tile_rows, count = std::min(tile_rows, rows - first);
            const auto nonzeros = sparse_sign_columns(S, row0 + first, count);
            auto* plus = entries_.data() + first * nnz_;
            std::vector<std::uint32_t> minus(nonzeros.size());
            std::size_t up = 0, down = 0;
            for (index r = 0; r < count; ++r)
                for (index g = 0; g < nnz_; ++g) {  // without branches: signs are random
                    const SignedRow s = nonzeros[static_cast<std::size_t>(r * nnz_ + g)];
                    plus[up] = minus[down] = s.row() << 8 | static_cast<std::uint32_t>(r);
                    down += s.negative();
                    up += !s.negative();
                }
            std::copy_n(minus.data(), down, plus + up);
            plus_[static_cast<std::size_t>(b)] = static_cast<index>(up);
        });
    }

    SignList block(index b) const {
        const index count = std::min(tile_rows, rows_ - b * tile_rows) * nnz_;
        const index plus = plus_[static_cast<std::size_t>(b)];
        return {entries_.data() + b * tile_rows * nnz_, plus, count - plus};
    }

  private:
    index nnz_, rows_ = 0;
    std::vector<std::uint32_t> entries_;
    std::vector<index> plus_;
};

/// Y (cols-by-size, `ldy` between sketch rows) = (S A)^T and squared column norms unless null. The sum
/// of an entry runs over the rows of A in an order that depends on S alone: it has the same bits for
/// every thread count and whatever the other columns are.
template <class T>
struct ColumnSweep {
    const T* A = nullptr;
    index rows = 0, cols = 0, ld = 0;
    const SketchOperator* S = nullptr;
    T* Y = nullptr;
    index ldy = 0;
    double* norms2 = nullptr;

    static constexpr index W = panel_cols<T>;
    static constexpr index round = index{1} << 18;  // rows whose nonzeros are listed at a time
    static constexpr index visit = 8;               // tiles that use the sums of a panel in turn

    void run(Host& ex) const {
        SignLists lists(*S, std::min(round, rows));
        const index panels = (cols + W - 1) / W;
        // Panels that share a list while it is in the first-level cache; their sums fit the second.
        const index fitting = (index{1} << 18) / (S->size * W * static_cast<index>(sizeof(T)));
        const index strip = std::clamp<index>(std::min(fitting, panels / ex.threads()), 1, 16);
        for (index row0 = 0; row0 < rows; row0 += round) {
            const index count = std::min(round, rows - row0);
            lists.fill(ex, *S, row0, count);
            ex.for_each_task((panels + strip - 1) / strip, [&](index t) {
                sweep_strip(ex, lists, row0, count, t * strip, std::min(strip, panels - t * strip));
            });
            ex.poll();
        }
    }

  private:
    using Columns = std::array<const T*, static_cast<std::size_t>(W)>;

    void sweep_strip(Host& ex, const SignLists& lists, index row0, index count, index panel0,
                     index panels) const {
        Buffer<T, Host> sums(ex, panels * S->size * W), edge(ex, tile_rows * W);
        Buffer<T, Host> zeros(ex, tile_rows);
        Buffer<double, Host> squares(ex, panels * W);
        std::fill_n(zeros.data(), tile_rows, T(0));
        std::fill_n(squares.data(), panels * W, 0.0);
        for (index p = 0; p < panels; ++p)
            load_panel(panel0 + p, row0, sums.data() + p * S->size * W);
        const index blocks = (count + tile_rows - 1) / tile_rows;
        for (index b0 = 0; b0 < blocks; b0 += visit)
            for (index p = 0; p < panels; ++p)
                for (index b = b0; b < std::min(b0 + visit, blocks); ++b) {
                    const index r = row0 + b * tile_rows;
                    auto columns = columns_at(panel0 + p, r, zeros.data());
                    if (r + tile_rows > rows) columns = copied(columns, rows - r, edge.data());
                    isa_kernels<T>().add_signed_columns(columns.data(), lists.block(b),
                                                        sums.data() + p * S->size * W,
                                                        norms2 ? squares.data() + p * W : nullptr);
                }
        const bool done = row0 + count == rows;
        for (index p = 0; p < panels; ++p)
            store_panel(panel0 + p, done, sums.data() + p * S->size * W);
        const index width = std::min(panels * W, cols - panel0 * W);
        for (index c = 0; norms2 && c < width; ++c) norms2[panel0 * W + c] += squares.data()[c];
    }

    /// Where the columns of a panel go on at a row; columns that A has not are zeros.
    Columns columns_at(index panel, index row, const T* zeros) const {
        Columns columns;
        for (index c = 0; c < W; ++c) {
            const index j = panel * W + c;
            columns[static_cast<std::size_t>(c)] = j < cols ? A + j * ld + row : zeros;
        }
        return columns;
    }

    /// The last rows of A, followed by zeros up to a whole tile.
    static Columns copied(Columns columns, index count, T* to) {
        for (const T*& from : columns) {
            std::fill(std::copy_n(from, count, to), to + tile_rows, T(0));
            from = to;
            to += tile_rows;
        }
        return columns;
    }

    void load_panel(index panel, index row0, T* sums) const {
        const index width = std::min(W, cols - panel * W);
        std::fill_n(sums, S->size * W, T(0));
        for (index i = 0; row0 > 0 && i < S->size; ++i)
            std::copy_n(Y + i * ldy + panel * W, width, sums + i * W);
    }

    void store_panel(index panel, bool done, const T* sums) const {
        const T scale = done ? static_cast<T>(S->isometry_scale()) : T(1);
        const index width = std::min(W, cols - panel * W);
        for (index i = 0; i < S->size; ++i)
            for (index c = 0; c < width; ++c) Y[i * ldy + panel * W + c] = scale * sums[i * W + c];
    }
};

}  // namespace subspan
