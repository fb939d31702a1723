// Singular value decomposition of A ~ Q B from a basis Q of its range, B = Q^H A (HMT 2011, Alg. 5.1).
#pragma once

#include "subspan/range_finder.hpp"

namespace subspan {

/// A ~ U diag(s) Vh, rank at most size: U = left * rotation, Vh^T = right * other rotation.
template <class T, Exec E>
struct RotatedSvd {
    Buffer<T, E> U, Vh;  // of the small triangular factor, size-by-size
    Buffer<real_t<T>, E> s;
    index size = 0;
};

/// B^T = P R in place, R = U diag(s) Vh: then B = conj(V) diag(s) (P U)^T.
template <class T, class E>
RotatedSvd<T, E> svd_of_projection(E& ex, MatrixView<T> Bt) {
    const index l = Bt.cols;
    RotatedSvd<T, E> small{Buffer<T, E>(ex, l * l), Buffer<T, E>(ex, l * l),
                           Buffer<real_t<T>, E>(ex, l), l};
    orthonormalize<E, T>(ex, Bt, small.U.matrix(l, l));
    ex.poll();
    thin_svd<T>(ex, small.U.matrix(l, l), small.s.data(), small.Vh.matrix(l, l));
    return small;
}

/// The phase that makes the entry of largest modulus in a column real and positive; ties go to the
/// smallest row.
template <class T>
struct ColumnPhase {
    MatrixView<const T> U;
    T* phases;
    SUBSPAN_HD void operator()(index j) const {
        index at = 0;
        double largest = -1;
        // Entries of equal modulus may differ by rounding: a later one must be larger by more.
        for (index i = 0; i < U.rows; ++i) {
            const double size = squared_abs(U(i, j));
            if (size > largest * (1 + 1e-5)) {
                largest = size;
                at = i;
            }
        }
        const double modulus = std::sqrt(largest);
        if (!(modulus > 0)) {
            phases[j] = T(1);
            return;
        }
        phases[j] = conjugate(U(at, j)) / static_cast<real_t<T>>(modulus);
    }
};

template <class T>
struct ScaleColumnEntry {
    MatrixView<T> A;
    const T* factors;
    bool conjugated;
    SUBSPAN_HD void operator()(index i, index j) const {
        const T factor = conjugated ? conjugate(factors[j]) : factors[j];
        if (factor != T(1)) A(i, j) = A(i, j) * factor;  // memory is touched only where needed
    }
};

/// Multiplies u_j and v_j by the phase that makes the largest entry of u_j positive. Vt holds (V^H)^T.
template <class T, class E>
void fix_signs(E& ex, MatrixView<T> U, MatrixView<T> Vt) {
    Buffer<T, E> phases(ex, U.cols);
    parallel_for(ex, U.cols, ColumnPhase<T>{U, phases.data()}, U.rows);
    for_each_entry(ex, U.rows, U.cols, ScaleColumnEntry<T>{U, phases.data(), false});
    for_each_entry(ex, Vt.rows, Vt.cols, ScaleColumnEntry<T>{Vt, phases.data(), true});
}

/// The k leading vectors of Q B: U = Q conj(V), Vt = (Vh)^T = P U, of the projection's B^T = P R. If the
/// basis is of A^T, the two change places.
template <class T, class E>
void singular_vectors(E& ex, MatrixView<T> Q, MatrixView<T> P, const RotatedSvd<T, E>& small,
                      bool of_transpose, MatrixView<T> U, MatrixView<T> Vt) {
    const index k = U.cols, l = small.size;
    const auto left = of_transpose ? Vt : U, right = of_transpose ? U : Vt;
    gemm<T>(ex, Op::None, Op::Trans, T(1), Q, small.Vh.matrix(l, l).row_range(0, k), T(0), left);
    gemm<T>(ex, Op::None, Op::None, T(1), P, small.U.matrix(l, l).columns(0, k), T(0), right);
    fix_signs(ex, U, Vt);
}

}  // namespace subspan
