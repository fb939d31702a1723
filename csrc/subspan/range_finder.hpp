// Orthonormal bases Q of the range of A from products with a random test matrix Omega = S^T:
//
//   subspace iteration   Q = orth((A A^H)^q A Omega), every product stabilised   (HMT 2011, Alg. 4.4)
//   block Krylov         Q = orth[A Omega, (A A^H) A Omega, ..., (A A^H)^q A Omega], as block
//                        Golub-Kahan with full reorthogonalisation (Musco and Musco, 2015)
//   to a tolerance       blocks of subspace iteration on A - Q Q^H A until the error meets it
//                        (randQB_EI of Yu, Gu and Li, SIMAX 2018)
//
// The first reading of A also serves ||A||_F^2 and products with an independent Gaussian probe.
#pragma once

#include <numeric>
#include <vector>

#include "subspan/orthonormalize.hpp"
#include "subspan/skeleton.hpp"

namespace subspan {

/// A and A^T, so that either product goes along contiguous memory.
template <class T>
struct BothWays {
    AnySource<T> A, At;
};

struct RangeOptions {
    index size = 0;             // columns of Q; to a tolerance, at most so many
    index block = 0;            // columns of Omega in the first round
    int power_iterations = 0;   // q
    bool krylov = false;        // keep all q + 1 blocks
    bool project = false;       // Q^H A is wanted
    bool to_tolerance = false;  // stop when ||A - Q Q^H A||_F <= max(tolerance, relative ||A||_F)
    double tolerance = 0, relative = 0;
    double probe_factor = 1;  // turns the probe's estimate of an error into an upper bound
    SketchOperator sketch;    // kind, nnz, stream; its dimension is A.cols
    SketchOperator probe;     // size 0: no probe
    bool want_norms = true;   // not for operators
};

template <class T, Exec E>
struct Range {
    index rows = 0, cols = 0, size = 0;
    Buffer<T, E> basis;       // Q, rows-by-size
    Buffer<T, E> projection;  // (Q^H A)^T, cols-by-size, if wanted
    Buffer<T, E> probe;       // A G^T, rows-by-probes
    index probes = 0;
    bool of_transpose = false;  // the basis is of A^T
    double norm2 = -1;          // ||A||_F^2, negative if unknown
    double probe_norm2 = -1;    // ||A G^T||_F^2, an estimate of it
    double residual2 = -1;      // ||A - Q Q^H A||_F^2 where it has digits, else negative
    double leave_one_out = -1;  // estimate of ||A - Q Q^H A||_F from the test products alone
    index passes = 0;
    StopReason stop = StopReason::Rank;
    std::vector<HistoryEntry> history;

    MatrixView<T> Q() const { return basis.matrix(rows, size); }
    MatrixView<T> Bt() const { return projection.matrix(cols, size); }
    MatrixView<T> probe_matrix() const { return probe.matrix(rows, probes); }
};

/// Y = A X.
template <class T, class E>
void multiply(E& ex, const BothWays<T>& A, MatrixView<T> X, MatrixView<T> Y) {
    apply_transpose(ex, A.At, X, Y);
}

/// Bt = (Q^H A)^T.
template <class T, class E>
void project(E& ex, const BothWays<T>& A, MatrixView<T> Q, MatrixView<T> Bt) {
    project(ex, A.A, Q, Bt);
}

/// Columns of Y that are independent up to `floor`, chosen by pivoted QR of R for Y = Q R, in place of
/// Q's leading columns; returns their number.
template <class T, class E>
index keep_independent(E& ex, MatrixView<T> Y, MatrixView<T> R, double floor) {
    const index w = Y.cols;
    const auto diagonal = abs_diagonal(ex, R);
    if (w == 0 || *std::min_element(diagonal.begin(), diagonal.end()) > floor) return w;
    Buffer<T, E> factor(ex, w * w), chosen(ex, w * w), columns(ex, Y.rows * w);
    Buffer<index, E> perm(ex, w);
    copy<E, T>(ex, R, factor.matrix(w, w));
    pivoted_qr<T>(ex, factor.matrix(w, w), perm.data());
    index kept = 0;
    for (const double d : abs_diagonal(ex, factor.matrix(w, w))) kept += d > floor ? 1 : 0;
    const auto some = chosen.matrix(w, kept), out = columns.matrix(Y.rows, kept);
    for_each_entry(ex, w, kept, GatherColumnEntry<T>{R, some, perm.data()});
    gemm<T>(ex, Op::None, Op::None, T(1), Y, some, T(0), out);
    copy<E, T>(ex, out, Y.columns(0, kept));
    return kept;
}

/// Orthonormal basis of the part of Y outside the span of Q, in place; twice is enough (Parlett).
/// Returns its number of columns: directions of Y below `floor` are rounding and are dropped.
template <class T, class E>
index orthonormalize_against(E& ex, MatrixView<T> Q, MatrixView<T> Y, double floor) {
    Buffer<T, E> factor(ex, Y.cols * Y.cols);
    const auto R = factor.matrix(Y.cols, Y.cols);
    project_out(ex, Q, Y);
    orthonormalize<E, T>(ex, Y, R);
    if (Q.cols == 0) return Y.cols;
    const index kept = keep_independent(ex, Y, R, floor);
    const auto rest = Y.columns(0, kept);
    project_out(ex, Q, rest);
    orthonormalize<E, T>(ex, rest, R.block(0, 0, kept, kept));
    if (kept == Y.cols) return kept;
    project_out(ex, Q, rest);  // the columns were rebuilt, not only scaled
    orthonormalize<E, T>(ex, rest, R.block(0, 0, kept, kept));
    return kept;
}

/// ||A||_F, estimated from the probe for operators.
template <class T, class E>
double norm_of(const Range<T, E>& range) {
    return std::sqrt(range.norm2 >= 0 ? range.norm2 : range.probe_norm2);
}

/// Y = A Omega; in the same reading the probe and ||A||_F^2.
template <class T, class E>
void test_products(E& ex, const BothWays<T>& A, const SketchOperator& S,
                   const RangeOptions& options, MatrixView<T> Y, Range<T, E>& range) {
    SketchPass<T> pass;
    Buffer<double, E> norms2(ex, options.want_norms ? range.rows : 0);
    range.probes = options.probe.size;
    range.probe = Buffer<T, E>(ex, range.rows * range.probes);
    pass.sketch = S;
    pass.Y = Y;
    pass.probe = options.probe;
    pass.P = range.probe_matrix();
    pass.norms2 = options.want_norms ? norms2.data() : nullptr;
    sketch_pass(ex, A.At, pass);
    ++range.passes;
    if (range.probes > 0) range.probe_norm2 = squared_norm(ex, range.probe_matrix());
    if (options.want_norms) range.norm2 = sum(ex, norms2.data(), range.rows);
    require_in_range<T>(options.want_norms ? range.norm2 : squared_norm(ex, Y));
}

/// Q = orth((A A^H)^q Q) outside the span of the basis so far; Z is workspace, cols-by-Q.cols. Returns
/// the number of columns that are left.
template <class T, class E>
index iterate_subspace(E& ex, const BothWays<T>& A, MatrixView<T> before, MatrixView<T> Q,
                       MatrixView<T> Z, int q, double floor, Range<T, E>& range) {
    for (int step = 0; step < q && Q.cols > 0; ++step) {
        ex.poll();
        project(ex, A, Q, Z);
        condition<E, T>(ex, Z);
        if constexpr (is_complex<T>) for_each_entry(ex, Z.rows, Z.cols, ConjugateEntry<T>{Z, Z});
        ex.poll();
        multiply(ex, A, Z, Q);
        range.passes += 2;
        if (step + 1 == q) return orthonormalize_against<T>(ex, before, Q, floor);
        project_out(ex, before, Q);
        condition<E, T>(ex, Q);
    }
    return Q.cols;
}

/// What counts as zero in products with A, whose Frobenius norm is `norm`.
template <class T>
double rounding_floor(double norm) {
    return 10 * eps<T> * norm;
}

/// Estimate of ||A - Q' Q'^H A||_F^2 for a basis Q' from all columns of A Omega = Q R but one, averaged
/// over the one left out: the mean of 1 / ||R^-1(j, :)||^2 for test vectors of unit variance (Epperly and
/// Tropp, 2024). Omega here has columns of variance 1 / size, which turns the mean into the sum.
template <class T, class E>
double leave_one_out(E& ex, MatrixView<T> R) {
    const index l = R.cols;
    std::vector<T> identity(static_cast<std::size_t>(l * l), T(0));
    for (index i = 0; i < l; ++i) identity[static_cast<std::size_t>(i + i * l)] = T(1);
    const auto inverse = upload<T>(ex, identity);
    trsm<T>(ex, Side::Left, Uplo::Upper, Op::None, Diag::NonUnit, R, inverse.matrix(l, l));
    Buffer<double, E> rows(ex, l);
    parallel_for(ex, l, RowNorm<T>{inverse.matrix(l, l), rows.data()}, l);
    double total = 0;
    for (const double r : fetch(ex, rows.data(), l)) total += r > 0 ? 1 / r : 0;
    return std::isfinite(total) ? std::sqrt(total) : 0;  // a singular R: nothing is left
}

/// Subspace iteration with `size` columns.
template <class T, class E>
void find_subspace(E& ex, const BothWays<T>& A, const RangeOptions& options, Range<T, E>& range) {
    const index l = range.size = options.size;
    range.basis = Buffer<T, E>(ex, range.rows * l);
    range.projection = Buffer<T, E>(ex, range.cols * l);
    const auto Q = range.Q();
    test_products(ex, A, resized(options.sketch, l), options, Q, range);
    const int q = options.power_iterations;
    if (q > 0) {
        condition<E, T>(ex, Q);
    } else {
        Buffer<T, E> factor(ex, l * l);
        orthonormalize<E, T>(ex, Q, factor.matrix(l, l));
        range.leave_one_out = leave_one_out<T>(ex, factor.matrix(l, l));
    }
    iterate_subspace(ex, A, Q.columns(0, 0), Q, range.Bt(), q, 0, range);
    if (!options.project) return;
    ex.poll();
    project(ex, A, Q, range.Bt());
    ++range.passes;
}

/// Block Krylov: q + 1 blocks, the last one narrower where `size` is not a multiple of their number.
/// Q_i^H A is needed to go on and is the block of Q^H A as well. Stops early where the Krylov space ends.
template <class T, class E>
void find_krylov(E& ex, const BothWays<T>& A, const RangeOptions& options, Range<T, E>& range) {
    const index l = options.size, blocks = options.power_iterations + 1;
    const index b = (l + blocks - 1) / blocks;
    range.basis = Buffer<T, E>(ex, range.rows * l);
    range.projection = Buffer<T, E>(ex, range.cols * l);
    Buffer<T, E> direction(ex, range.cols * b);
    const auto Q = range.basis.matrix(range.rows, l), Bt = range.projection.matrix(range.cols, l);
    double floor = 0;
    for (index width = std::min(b, l), last = 0; width > 0;) {
        const index done = range.size;
        auto next = Q.columns(done, width);
        if (done == 0) {
            test_products(ex, A, resized(options.sketch, width), options, next, range);
            floor = rounding_floor<T>(norm_of(range));
        } else {
            const auto Z = direction.matrix(range.cols, width);
            copy<E, T>(ex, Bt.columns(done - last, width), Z);
            condition<E, T>(ex, Z);
            if constexpr (is_complex<T>)
                for_each_entry(ex, Z.rows, Z.cols, ConjugateEntry<T>{Z, Z});
            multiply(ex, A, Z, next);
            ++range.passes;
        }
        ex.poll();
        last = orthonormalize_against<T>(ex, Q.columns(0, done), next, floor);
        range.size += last;
        width = std::min(last, l - range.size);
        if (last == 0 || (!options.project && width == 0)) break;
        project(ex, A, Q.columns(done, last), Bt.columns(done, last));
        ++range.passes;
    }
}

/// Room for `cols` columns, the first `used` of which are kept.
template <class T, class E>
Buffer<T, E> grown(E& ex, const Buffer<T, E>& old, index rows, index used, index cols) {
    Buffer<T, E> larger(ex, rows * cols);
    copy<E, T>(ex, old.matrix(rows, used), larger.matrix(rows, used));
    return larger;
}

/// Blocks until ||A - Q Q^H A||_F is small enough: ||A||_F^2 - ||Q^H A||_F^2 where that difference has
/// digits, else (and for operators) what the basis leaves of the probe, which no other choice depends
/// on. Blocks grow with the basis, so that few rounds reach a large rank.
template <class T, class E>
void find_to_tolerance(E& ex, const BothWays<T>& A, const RangeOptions& options,
                       Range<T, E>& range) {
    const index limit = options.size;
    index room = std::min(limit, 2 * options.block);
    range.basis = Buffer<T, E>(ex, range.rows * room);
    range.projection = Buffer<T, E>(ex, range.cols * room);
    Buffer<T, E> unexplained(ex, range.rows * options.probe.size);  // (A - Q Q^H A) G^T
    const auto P = unexplained.matrix(range.rows, options.probe.size);
    double taken = 0, goal = -1, norm = 0;
    for (std::uint32_t round = 0; range.size < limit; ++round) {
        const index width = std::min(limit - range.size, std::max(options.block, range.size / 2));
        if (range.size + width > room) {
            room = std::min(limit, std::max(range.size + width, 2 * range.size));
            range.basis = grown(ex, range.basis, range.rows, range.size, room);
            range.projection = grown(ex, range.projection, range.cols, range.size, room);
        }
        const auto before = range.Q();
        const auto fresh = range.basis.matrix(range.rows, room).columns(range.size, width);
        const auto image = range.projection.matrix(range.cols, room).columns(range.size, width);
        const SketchOperator S = resized(options.sketch, width, round);
        if (round == 0) {
            test_products(ex, A, S, options, fresh, range);
            copy<E, T>(ex, range.probe_matrix(), P);
            norm = norm_of(range);
            goal = std::max(options.tolerance, options.relative * norm);
        } else {
            sketch(ex, A.At, S, fresh);
            ++range.passes;
        }
        const double floor = rounding_floor<T>(norm);
        index kept = orthonormalize_against<T>(ex, before, fresh, floor);
        kept = iterate_subspace(ex, A, before, fresh.columns(0, kept), image.columns(0, kept),
                                options.power_iterations, floor, range);
        const auto next = fresh.columns(0, kept), Bt = image.columns(0, kept);
        ex.poll();
        if (kept > 0) {
            project(ex, A, next, Bt);
            ++range.passes;
        }
        taken += squared_norm(ex, Bt);
        project_out(ex, next, P);
        range.size += kept;

        const double left = range.norm2 - taken;
        const bool exact = range.norm2 > 0 && left > 1e4 * eps<T> * range.norm2;
        const double seen = std::sqrt(squared_norm(ex, P));
        const double residual = exact ? std::sqrt(left) : seen;
        range.residual2 = exact ? left : -1;
        const double previous = range.history.empty() ? norm : range.history.back().residual;
        range.history.push_back({range.size, residual, exact, kept, width});
        if (residual * (exact ? 1 : options.probe_factor) <= goal) {
            range.stop = StopReason::Tolerance;
            return;
        }
        if (kept == 0 || (residual <= 1e3 * eps<T> * norm && residual > 0.5 * previous)) {
            range.stop = StopReason::Exhausted;
            return;
        }
    }
}

/// Q R = A for a tall A, Q R = A^T for a wide one: the whole range, by a copy of A.
template <class T, class E>
Range<T, E> factor_whole(E& ex, const BothWays<T>& A) {
    Range<T, E> range;
    range.of_transpose = A.A.rows < A.A.cols;
    const AnySource<T>& tall = range.of_transpose ? A.At : A.A;
    const index m = range.rows = tall.rows, n = range.cols = range.size = tall.cols;
    range.basis = Buffer<T, E>(ex, m * n);
    range.projection = Buffer<T, E>(ex, n * n);
    Buffer<T, E> factor(ex, n * n);
    std::vector<index> all(static_cast<std::size_t>(n));
    std::iota(all.begin(), all.end(), index{0});
    const auto order = upload<index>(ex, all);
    gather_columns(ex, tall, order.data(), range.Q());
    range.norm2 = squared_norm(ex, range.Q());
    require_in_range<T>(range.norm2);
    orthonormalize<E, T>(ex, range.Q(), factor.matrix(n, n));
    for_each_entry(ex, n, n, TransposeEntry<T>{factor.matrix(n, n), range.Bt()});
    range.residual2 = 0;
    range.passes = 1;
    return range;
}

template <class T, class E>
Range<T, E> find_range(E& ex, const BothWays<T>& A, const RangeOptions& options) {
    Range<T, E> range;
    range.rows = A.A.rows;
    range.cols = A.A.cols;
    if (options.to_tolerance)
        find_to_tolerance(ex, A, options, range);
    else if (options.krylov)
        find_krylov(ex, A, options, range);
    else
        find_subspace(ex, A, options, range);
    if (range.residual2 < 0 && options.project && range.norm2 > 0) {
        const double left = range.norm2 - squared_norm(ex, range.Bt());
        if (left > 1e4 * eps<T> * range.norm2) range.residual2 = left;
    }
    return range;
}

}  // namespace subspan
