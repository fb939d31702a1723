// The dense verbs on the host; what each means is written in subspan/dense.hpp.
#pragma once

#include "host/exec.hpp"
#include "subspan/types.hpp"

namespace subspan {

template <class T>
void gemm(Host&, Op opA, Op opB, std::type_identity_t<T> alpha, In<T> A, In<T> B,
          std::type_identity_t<T> beta, MatrixView<T> C);
template <class T>
void trsm(Host&, Side, Uplo, Op, Diag, In<T> A, MatrixView<T> B);
template <class T>
void gram(Host&, In<T> A, MatrixView<T> G);
template <class T>
void lu(Host&, MatrixView<T> A, index* transpositions);
template <class T>
void cholesky(Host&, MatrixView<T> G, index* info);
template <class T>
void householder_qr(Host&, MatrixView<T> A, MatrixView<T> R, bool form_q = true);
template <class T>
void pivoted_qr(Host&, MatrixView<T> A, index* perm, MatrixView<T> Q = {});
template <class T>
void thin_svd(Host&, MatrixView<T> A, real_t<T>* s, MatrixView<T> Vh);
template <class T>
void eigh(Host&, MatrixView<T> A, real_t<T>* w);

}  // namespace subspan
