// The dense verbs: the whole vocabulary between algorithm and device.
//
// Declared here by their meaning, implemented once per executor (host/dense.hpp over LAPACK,
// fake/dense.hpp deferred) and found by overloading on the executor. Matrices are column-major.
//
//   gemm(ex, opA, opB, alpha, A, B, beta, C)      C = alpha op(A) op(B) + beta C
//   trsm(ex, side, uplo, op, diag, A, B)          B = op(A)^-1 B  or  B op(A)^-1, A triangular
//   gram(ex, A, G)                                G = A^H A, both triangles
//   lu(ex, A, transpositions)                     A = P L U in place; row j was swapped with
//                                                 transpositions[j] (0-based), in this order
//   cholesky(ex, G, info)                         G = R^H R, R in the upper triangle; *info > 0 if
//                                                 that leading minor is not positive
//   householder_qr(ex, A, R, form_q)              A = Q R in place, A tall; R gets zeros below;
//                                                 without form_q A is destroyed
//   pivoted_qr(ex, A, perm, Q)                    A[:, perm] = Q R, R in the upper triangle of A; as
//                                                 many leading columns of Q as the last argument has
//   thin_svd(ex, A, s, Vh)                        A = U diag(s) Vh, A tall and overwritten by U
//   eigh(ex, A, w)                                A = V diag(w) V^H, A Hermitian (its upper triangle
//                                                 is read) and overwritten by V, w ascending
//   sum(ex, x, n)                                 sum of n doubles, to the host (waits)
//
// Pointers to results (transpositions, info, perm, s, w) are device memory.
#pragma once

#include "subspan/exec.hpp"

namespace subspan {

template <class E, class T>
concept DenseVerbs = Exec<E> && requires(E& ex, T a, In<T> A, MatrixView<T> C, index* device,
                                         real_t<T>* s, const double* x) {
    gemm<T>(ex, Op::None, Op::None, a, A, A, a, C);
    trsm<T>(ex, Side::Left, Uplo::Upper, Op::None, Diag::Unit, A, C);
    gram<T>(ex, A, C);
    lu<T>(ex, C, device);
    cholesky<T>(ex, C, device);
    householder_qr<T>(ex, C, C);
    pivoted_qr<T>(ex, C, device);
    thin_svd<T>(ex, C, s, C);
    eigh<T>(ex, C, s);
    { sum(ex, x, index{}) } -> std::same_as<double>;
};

/// Applies the transpositions of lu (row j <-> row t[j], in order) to part of a permutation.
inline void apply_transpositions(const std::vector<index>& transpositions, index* perm) {
    for (std::size_t j = 0; j < transpositions.size(); ++j)
        std::swap(perm[j], perm[transpositions[j]]);
}

}  // namespace subspan
