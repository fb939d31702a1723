// The dense verbs on the fake device: the host's, run at the next sync. What a GPU has no library for,
// and the questions to sources, are the functors that a GPU runs.
#pragma once

#include "fake/exec.hpp"
#include "host/dense.hpp"
#include "subspan/pivoted_qr.hpp"
#include "subspan/plain_source.hpp"

namespace subspan {

template <class T>
void gemm(Fake& ex, Op opA, Op opB, std::type_identity_t<T> alpha, In<T> A, In<T> B,
          std::type_identity_t<T> beta, MatrixView<T> C) {
    ex.enqueue([=](Host& host) { gemm<T>(host, opA, opB, alpha, A, B, beta, C); });
}
template <class T>
void trsm(Fake& ex, Side side, Uplo uplo, Op op, Diag diag, In<T> A, MatrixView<T> B) {
    ex.enqueue([=](Host& host) { trsm<T>(host, side, uplo, op, diag, A, B); });
}
template <class T>
void gram(Fake& ex, In<T> A, MatrixView<T> G) {
    ex.enqueue([=](Host& host) { gram<T>(host, A, G); });
}
template <class T>
void lu(Fake& ex, MatrixView<T> A, index* transpositions) {
    ex.enqueue([=](Host& host) { lu<T>(host, A, transpositions); });
}
template <class T>
void cholesky(Fake& ex, MatrixView<T> G, index* info) {
    ex.enqueue([=](Host& host) { cholesky<T>(host, G, info); });
}
template <class T>
void householder_qr(Fake& ex, MatrixView<T> A, MatrixView<T> R, bool form_q = true) {
    ex.enqueue([=](Host& host) { householder_qr<T>(host, A, R, form_q); });
}
/// In cooperative functors, as a GPU has it.
template <class T>
void pivoted_qr(Fake& ex, MatrixView<T> A, index* perm, MatrixView<T> Q = {}) {
    plain::pivoted_qr<T>(ex, A, perm, Q);
}
template <class T>
void thin_svd(Fake& ex, MatrixView<T> A, real_t<T>* s, MatrixView<T> Vh) {
    ex.enqueue([=](Host& host) { thin_svd<T>(host, A, s, Vh); });
}
template <class T>
void eigh(Fake& ex, MatrixView<T> A, real_t<T>* w) {
    ex.enqueue([=](Host& host) { eigh<T>(host, A, w); });
}

}  // namespace subspan
