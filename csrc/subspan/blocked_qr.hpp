// Blocked column-pivoted QR with pivots from a sketch, for ranks at which Q and R are as large as A:
// Householder QR with randomized pivoting (Martinsson, Quintana-Orti, Heavner, van de Geijn, SIAM J.
// Sci. Comput. 2017; Duersch and Gu, ibid.).
//
// One working copy of A is transformed by block reflectors, S^H beside it: with H_1 ... H_p applied to
// both, the residual is H_1 ... H_p [0; A22], hence its sketch is the old one less the rows of the
// transformed S^H times the new rows of R. The pivots of a block are those of a QR of that sketch.
#pragma once

#include <numeric>
#include <utility>

#include "subspan/qr.hpp"
#include "subspan/reflectors.hpp"

namespace subspan {

namespace detail {

/// Columns that change place when `chosen` (counted from `first`) come to `first`, `first` + 1, ...
struct ColumnMoves {
    std::vector<index> from, to;

    ColumnMoves(const std::vector<index>& chosen, index first, index n) {
        std::vector<index> holds(static_cast<std::size_t>(n)), place(holds.size());
        std::iota(holds.begin(), holds.end(), index{0});
        place = holds;
        index at = first;
        for (const index c : chosen) {
            const auto a = static_cast<std::size_t>(at++);
            const auto p = static_cast<std::size_t>(place[static_cast<std::size_t>(first + c)]);
            std::swap(place[static_cast<std::size_t>(holds[a])],
                      place[static_cast<std::size_t>(holds[p])]);
            std::swap(holds[a], holds[p]);
        }
        for (index j = first; j < n; ++j)
            if (holds[static_cast<std::size_t>(j)] != j) {
                to.push_back(j);
                from.push_back(holds[static_cast<std::size_t>(j)]);
            }
    }

    template <class T, class E>
    void apply(E& ex, MatrixView<T> A) const {
        const index count = static_cast<index>(to.size());
        if (count == 0) return;
        Buffer<T, E> moved(ex, A.rows * count);
        const auto M = moved.matrix(A.rows, count);
        const auto sources = upload<index>(ex, from), targets = upload<index>(ex, to);
        gather_columns(ex, dense_source<T>(A), sources.data(), M);
        for_each_entry(ex, A.rows, count, ScatterColumnEntry<T>{M, A, targets.data()});
    }

    void apply(std::vector<index>& perm) const {
        const std::vector<index> before = perm;
        for (std::size_t i = 0; i < to.size(); ++i)
            perm[static_cast<std::size_t>(to[i])] = before[static_cast<std::size_t>(from[i])];
    }
};

/// The first `count` pivots of a QR of the sketch B, which is kept.
template <class T, class E>
std::vector<index> sketch_pivots(E& ex, MatrixView<T> B, index count) {
    Buffer<T, E> memory(ex, B.rows * B.cols);
    Buffer<index, E> perm(ex, B.cols);
    const auto factored = memory.matrix(B.rows, B.cols);
    copy<E, T>(ex, B, factored);
    pivoted_qr<T>(ex, factored, perm.data());
    return fetch(ex, perm.data(), count);
}

/// The leading columns of the product of the reflectors, whose Y lie in the columns of Q.
template <class T, class E>
void form_q(E& ex, const std::vector<BlockReflector<T, E>>& reflectors, MatrixView<T> Q) {
    index first = Q.cols;
    for (auto H = reflectors.rbegin(); H != reflectors.rend(); ++H) {
        const index b = H->Y.cols, done = Q.cols - first;
        first -= b;
        const auto panel = H->Y;
        const auto rest = Q.block(first, first + b, panel.rows, done);
        for_each_entry(ex, b, done, ZeroEntry<T>{rest});
        H->apply(ex, Op::None, rest);
        Buffer<T, E> y(ex, panel.rows * b);
        const auto Y = y.matrix(panel.rows, b);
        copy<E, T>(ex, panel, Y);
        for_each_entry(ex, panel.rows, b, IdentityEntry<T>{panel});
        Buffer<T, E> ty(ex, b * b);
        const auto TY = ty.matrix(b, b);
        gemm<T>(ex, Op::None, Op::ConjTrans, T(1), H->t.matrix(b, b), Y.row_range(0, b), T(0), TY);
        gemm<T>(ex, Op::None, Op::None, T(-1), Y, TY, T(1), panel);
        ex.poll();
    }
}

}  // namespace detail

struct BlockedQr {
    std::vector<index> perm;
    double residual2 = 0;  // ||A[:, perm] - Q R||_F^2 but for rounding
    double norm2 = 0;
};

/// A[:, perm] = Q R + residual with Q m-by-k and Rt n-by-k. `G` is Gaussian; its size less the block
/// is the oversampling of the sketch. Copies A; 4 m n k flops for k much below m and n.
template <class T, class E, class S>
BlockedQr blocked_qr(E& ex, const S& A, index block, const SketchOperator& G, MatrixView<T> Q,
                     MatrixView<T> Rt) {
    const index m = A.rows, n = A.cols, rank = Q.cols, l = G.size;
    BlockedQr out{permutation_with({}, n), 0, 0};
    Buffer<T, E> work(ex, m * (n + l)), sketched(ex, l * n);
    Buffer<double, E> norms(ex, n);
    const auto W = work.matrix(m, n + l), B = sketched.matrix(l, n);
    const auto all = upload<index>(ex, out.perm);
    gather_columns(ex, A, all.data(), W.columns(0, n));
    parallel_for(ex, n, ColumnNorm<T>{W, norms.data()}, m);
    out.norm2 = sum(ex, norms.data(), n);
    require_in_range<T>(out.norm2);
    fill_transposed<T>(ex, G, 0, 0, W.columns(n, l), G.isometry_scale());
    gemm<T>(ex, Op::ConjTrans, Op::None, T(1), W.columns(n, l), W.columns(0, n), T(0), B);

    std::vector<BlockReflector<T, E>> reflectors;
    for (index k = 0; k < rank; k += block) {
        const index b = std::min(block, rank - k), rest = n - k - b;
        const detail::ColumnMoves moves(detail::sketch_pivots(ex, B.columns(k, n - k), b), k, n);
        moves.apply(ex, W.columns(0, n));
        moves.apply(ex, B);
        moves.apply(out.perm);
        const auto panel = Q.block(k, k, m - k, b);
        copy<E, T>(ex, W.block(k, k, m - k, b), panel);
        reflectors.push_back(reflect_panel(ex, panel, W.block(k, k, b, b)));
        reflectors.back().apply(ex, Op::ConjTrans, W.block(k, k + b, m - k, rest + l));
        gemm<T>(ex, Op::ConjTrans, Op::None, T(-1), W.block(k, n, b, l), W.block(k, k + b, b, rest),
                T(1), B.columns(k + b, rest));
        ex.poll();
    }
    for_each_entry(ex, n, rank, TransposeEntry<T>{W, Rt});
    for_each_entry(ex, std::min(n, rank), rank, LowerTriangleEntry<T>{Rt});
    const auto left = W.block(rank, rank, m - rank, n - rank);
    parallel_for(ex, left.cols, ColumnNorm<T>{left, norms.data()}, left.rows);
    out.residual2 = left.rows > 0 ? sum(ex, norms.data(), left.cols) : 0.0;
    detail::form_q(ex, reflectors, Q);
    parallel_for(ex, rank, PositiveDiagonal<T>{Q, Rt}, m + n);
    return out;
}

}  // namespace subspan
