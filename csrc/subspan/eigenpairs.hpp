// Leading eigenpairs of a Hermitian matrix by Rayleigh and Ritz: from an orthonormal basis Q of its
// range, A ~ Q (Q^H A Q) Q^H, or from A as a whole.
//
// ||A - V diag(w) V^H||_F^2 = ||A||_F^2 - sum w_i^2 for any Ritz pairs (w, V), since w_i = v_i^H A v_i.
#pragma once

#include "subspan/sampling.hpp"
#include "subspan/svd.hpp"

namespace subspan {

template <class T, Exec E>
struct Eigenpairs {
    index rows = 0;
    std::vector<double> values;  // largest modulus first
    Buffer<T, E> memory;         // V, rows-by-values
    Range<T, E> range;           // the probe, ||A||_F and passes of what led here
    double residual2 = -1;       // ||A - V diag(w) V^H||_F^2 where it has digits, else negative
    double shift = 0;            // what Nystrom approximation added to A for stability

    MatrixView<T> V() const { return memory.matrix(rows, static_cast<index>(values.size())); }
};

/// norms2[j] = ||H(:, j) - H(j, :)^H||^2.
template <class T>
struct SkewNorm {
    MatrixView<const T> H;
    double* norms2;
    SUBSPAN_HD void operator()(index j) const {
        double total = 0;
        for (index i = 0; i < H.rows; ++i) total += squared_abs(T(H(i, j) - conjugate(H(j, i))));
        norms2[j] = total;
    }
};

/// G = (H + H^H) / 2.
template <class T>
struct HermitianPartEntry {
    MatrixView<const T> H;
    MatrixView<T> G;
    SUBSPAN_HD void operator()(index i, index j) const {
        G(i, j) = (H(i, j) + conjugate(H(j, i))) * real_t<T>(0.5);
    }
};

/// G = (H + H^H) / 2 for an H = X^H A X, or A itself, which must be Hermitian up to rounding. Returns
/// ||H - G||_F^2.
template <class T, class E>
double hermitian_part(E& ex, MatrixView<T> H, MatrixView<T> G) {
    Buffer<double, E> norms2(ex, H.cols);
    parallel_for(ex, H.cols, SkewNorm<T>{H, norms2.data()}, H.rows);
    const double apart = std::sqrt(sum(ex, norms2.data(), H.cols));
    const double size = std::sqrt(squared_norm(ex, H));
    if (!(apart <= clearly_wrong<T>() * size) && apart > 0)
        throw InvalidArgument(message("A must be Hermitian, but it differs from its adjoint by ",
                                      apart / size, " in relative Frobenius norm",
                                      " where the two were compared"));
    for_each_entry(ex, G.rows, G.cols, HermitianPartEntry<T>{H, G});
    return apart * apart / 4;
}

inline void require_semidefinite(double smallest, double largest, double allowed) {
    if (smallest < -allowed * largest)
        throw NumericalError(message("A is not positive semidefinite: a Rayleigh quotient is ",
                                     smallest, ", the largest ", largest,
                                     "; use psd=False for an indefinite matrix"));
}

/// Positions of the `k` values of largest modulus, largest first.
inline std::vector<index> by_modulus(const std::vector<double>& values, index k) {
    std::vector<double> keys;
    for (const double w : values) keys.push_back(-std::abs(w));
    return smallest(keys, k);
}

/// Multiplies each column by the phase that makes its entry of largest modulus positive.
template <class T, class E>
void fix_signs(E& ex, MatrixView<T> V) {
    fix_signs(ex, V, MatrixView<T>(nullptr, 0, V.cols));
}

/// The k leading pairs of G = W diag(w) W^H, G overwritten by W, turned by Q where there is one. Returns
/// the squares of the negative values that were cut because A is semidefinite.
template <class T, class E>
double leading_pairs(E& ex, MatrixView<T> G, const MatrixView<T>* Q, index k, bool semidefinite,
                     Eigenpairs<T, E>& out) {
    double cut2 = 0;
    Buffer<real_t<T>, E> device(ex, G.rows);
    eigh<T>(ex, G, device.data());
    std::vector<double> values;
    for (const real_t<T> w : fetch(ex, device.data(), G.rows))
        values.push_back(static_cast<double>(w));
    if (semidefinite && !values.empty()) {
        require_semidefinite(values.front(), values.back(), clearly_wrong<T>());
        for (double& w : values) {
            cut2 += w < 0 ? w * w : 0;
            w = std::max(w, 0.0);
        }
    }
    const auto order = by_modulus(values, k);
    for (const index j : order) out.values.push_back(values[static_cast<std::size_t>(j)]);
    const auto J = upload<index>(ex, order);
    out.memory = Buffer<T, E>(ex, out.rows * k);
    if (Q == nullptr) {
        gather_columns(ex, dense_source<T>(G), J.data(), out.V());
    } else {
        Buffer<T, E> chosen(ex, G.rows * k);
        const auto W = chosen.matrix(G.rows, k);
        gather_columns(ex, dense_source<T>(G), J.data(), W);
        gemm<T>(ex, Op::None, Op::None, T(1), *Q, W, T(0), out.V());
    }
    fix_signs(ex, out.V());
    return cut2;
}

/// Rayleigh-Ritz on a basis of the range, found as `options` say; no reading of A beyond Q^H A.
template <class T, class E>
Eigenpairs<T, E> ritz_pairs(E& ex, const BothWays<T>& A, const RangeOptions& options, index k,
                            bool semidefinite) {
    Eigenpairs<T, E> out;
    out.rows = A.A.rows;
    out.range = find_range(ex, A, options);
    const index l = out.range.size;
    Buffer<T, E> product(ex, l * l), hermitian(ex, l * l);
    const auto H = product.matrix(l, l), G = hermitian.matrix(l, l);
    const auto Q = out.range.Q();
    gemm<T>(ex, Op::Trans, Op::None, T(1), out.range.Bt(), Q, T(0), H);  // (Q^H A) Q
    hermitian_part(ex, H, G);
    leading_pairs(ex, G, &Q, std::min(k, l), semidefinite, out);
    const double norm2 = out.range.norm2;
    double left = norm2;
    for (const double w : out.values) left -= w * w;
    if (norm2 > 0 && left > 1e4 * eps<T> * norm2) out.residual2 = left;
    return out;
}

/// All of A by the dense routine, on a copy; the error is what is dropped: trailing values, negative ones
/// of a semidefinite A, and what is not Hermitian.
template <class T, class E>
Eigenpairs<T, E> whole_pairs(E& ex, const AnySource<T>& A, index k, bool semidefinite) {
    Eigenpairs<T, E> out;
    const index n = out.rows = A.rows;
    Buffer<T, E> whole(ex, n * n), hermitian(ex, n * n);
    const auto H = whole.matrix(n, n), G = hermitian.matrix(n, n);
    std::vector<index> all(static_cast<std::size_t>(n));
    std::iota(all.begin(), all.end(), index{0});
    const auto J = upload<index>(ex, all);
    gather_columns(ex, A, J.data(), H);
    out.range.norm2 = squared_norm(ex, H);
    out.range.passes = 1;
    require_in_range<T>(out.range.norm2);
    const double skew2 = hermitian_part(ex, H, G);
    const auto none = static_cast<const MatrixView<T>*>(nullptr);
    out.residual2 = skew2 + leading_pairs(ex, G, none, n, semidefinite, out);
    for (std::size_t j = static_cast<std::size_t>(k); j < out.values.size(); ++j)
        out.residual2 += out.values[j] * out.values[j];
    out.values.resize(static_cast<std::size_t>(k));
    return out;
}

/// P = (A - V diag(w) V^H) G^T for the probe G, whose products with A are in the range.
template <class T, class E>
void subtract_pairs(E& ex, const Eigenpairs<T, E>& pairs, const SketchOperator& probe,
                    MatrixView<T> P) {
    const index k = static_cast<index>(pairs.values.size());
    copy<E, T>(ex, pairs.range.probe_matrix(), P);
    if (k == 0) return;
    Buffer<T, E> inner(ex, k * P.cols);
    const auto VtG = inner.matrix(k, P.cols);
    sketch(ex, dense_source<T>(pairs.V()), probe, VtG);  // (G V)^T = V^T G^T
    const auto w =
        upload<real_t<T>>(ex, std::vector<real_t<T>>(pairs.values.begin(), pairs.values.end()));
    for_each_entry(ex, k, P.cols, ConjugateEntry<T>{VtG, VtG});
    for_each_entry(ex, k, P.cols, ScaleRowEntry<T>{VtG, w.data()});
    gemm<T>(ex, Op::None, Op::None, T(-1), pairs.V(), VtG, T(1), P);
}

}  // namespace subspan
