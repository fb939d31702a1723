// The dense verbs and the source questions on the fake device: the host's, run at the next sync.
#pragma once

#include "fake/exec.hpp"
#include "host/dense.hpp"
#include "host/source.hpp"

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
template <class T>
void pivoted_qr(Fake& ex, MatrixView<T> A, index* perm, MatrixView<T> Q = {}) {
    ex.enqueue([=](Host& host) { pivoted_qr<T>(host, A, perm, Q); });
}
template <class T>
void thin_svd(Fake& ex, MatrixView<T> A, real_t<T>* s, MatrixView<T> Vh) {
    ex.enqueue([=](Host& host) { thin_svd<T>(host, A, s, Vh); });
}
template <class T>
void eigh(Fake& ex, MatrixView<T> A, real_t<T>* w) {
    ex.enqueue([=](Host& host) { eigh<T>(host, A, w); });
}

template <class S, class T>
concept ConcreteSource = !std::is_same_v<S, AnySource<T>>;

// Sources by value: they are a few pointers (an operator's callbacks are shared).
template <class T, ConcreteSource<T> S>
void sketch_pass(Fake& ex, const S& A, const SketchPass<T>& pass) {
    ex.enqueue([=](Host& host) { sketch_pass(host, A, pass); });
}
template <class T, ConcreteSource<T> S>
void apply(Fake& ex, const S& A, MatrixView<T> X, MatrixView<T> Y) {
    ex.enqueue([=](Host& host) { apply(host, A, In<T>(X), Y); });
}
template <class T, ConcreteSource<T> S>
void apply_transpose(Fake& ex, const S& A, MatrixView<T> X, MatrixView<T> Y) {
    ex.enqueue([=](Host& host) { apply_transpose(host, A, In<T>(X), Y); });
}
template <class T, ConcreteSource<T> S>
void gather_columns(Fake& ex, const S& A, const index* J, MatrixView<T> C) {
    ex.enqueue([=](Host& host) { gather_columns(host, A, J, C); });
}
template <class T>
void gather_entries(Fake& ex, const EntryOracle<T>& K, const index* I, const index* J,
                    MatrixView<T> B) {
    ex.enqueue([=](Host& host) { gather_entries(host, K, I, J, B); });
}
template <class T>
void fill_transposed(Fake& ex, const SketchOperator& S, index i0, index p0, MatrixView<T> out,
                     double scale = 1) {
    ex.enqueue([=](Host& host) { fill_transposed<T>(host, S, i0, p0, out, scale); });
}
template <class T>
void apply_adjoint_sketch(Fake& ex, const SketchOperator& S, In<T> X, MatrixView<T> Y) {
    ex.enqueue([=](Host& host) { apply_adjoint_sketch<T>(host, S, X, Y); });
}

}  // namespace subspan
