// The dense verbs on a CUDA device; what each means is written in subspan/dense.hpp.
#pragma once

#include "cuda/exec.hpp"
#include "subspan/pivoted_qr.hpp"
#include "subspan/types.hpp"

namespace subspan {

template <class T>
void gemm(Cuda&, Op opA, Op opB, std::type_identity_t<T> alpha, In<T> A, In<T> B,
          std::type_identity_t<T> beta, MatrixView<T> C);
template <class T>
void trsm(Cuda&, Side, Uplo, Op, Diag, In<T> A, MatrixView<T> B);
template <class T>
void gram(Cuda&, In<T> A, MatrixView<T> G);
template <class T>
void lu(Cuda&, MatrixView<T> A, index* transpositions);
template <class T>
void cholesky(Cuda&, MatrixView<T> G, index* info);
template <class T>
void householder_qr(Cuda&, MatrixView<T> A, MatrixView<T> R, bool form_q = true);
template <class T>
void thin_svd(Cuda&, MatrixView<T> A, real_t<T>* s, MatrixView<T> Vh);
template <class T>
void eigh(Cuda&, MatrixView<T> A, real_t<T>* w);

/// No CUDA library has a pivoted QR.
template <class T>
void pivoted_qr(Cuda& ex, MatrixView<T> A, index* perm, MatrixView<T> Q = {}) {
    plain::pivoted_qr<T>(ex, A, perm, Q);
}

}  // namespace subspan
