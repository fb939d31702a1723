// Generalised Nystrom approximation of any A from two sketches that are linear in A, so that one reading
// is enough: Y = A Omega and X = Psi A give A ~ Y (Psi Y)^+ X (Clarkson and Woodruff, 2009; Tropp,
// Yurtsever, Udell, Cevher, SIMAX 2017, Alg. 7; Nakatsukasa, arXiv 2009.11392).
//
// With Y = Q T the same matrix is Q (Psi Q)^+ X. Psi Q is as well conditioned as Psi is a good sketch,
// whatever the condition of Y, so that its QR factorization solves the least squares problem stably and
// no diagonal entry of its factor is ever small.
#pragma once

#include "subspan/svd.hpp"

namespace subspan {

struct TwoSketches {
    SketchOperator omega;    // size l, dimension A.cols
    SketchOperator psi;      // size s > l, dimension A.rows
    SketchOperator probe;    // dimension A.rows
    bool want_norms = true;  // not for operators
};

/// What the readings of A leave: enough for the approximation and its certificate.
template <class T, Exec E>
struct SketchedTwice {
    index rows = 0, cols = 0;
    Buffer<T, E> Y;      // A Omega, rows-by-l; then its basis Q
    Buffer<T, E> Xt;     // (Psi A)^T, cols-by-s
    Buffer<T, E> probe;  // (G A)^T, cols-by-probes
    Buffer<T, E> Wt;     // the other factor, transposed: A ~ Q W, cols-by-l
    TwoSketches of;
    double norm2 = -1, probe_norm2 = -1;
    index passes = 0;

    MatrixView<T> Q() const { return Y.matrix(rows, of.omega.size); }
    MatrixView<T> W() const { return Wt.matrix(cols, of.omega.size); }
    MatrixView<T> probe_matrix() const { return probe.matrix(cols, of.probe.size); }
};

/// Both sketches, the probe and ||A||_F^2. A stream could fill them in one reading; a matrix at hand is
/// read once for each side.
template <class T, class E>
SketchedTwice<T, E> sketch_twice(E& ex, const BothWays<T>& A, const TwoSketches& sketches) {
    SketchedTwice<T, E> out;
    out.rows = A.A.rows;
    out.cols = A.A.cols;
    out.of = sketches;
    out.Y = Buffer<T, E>(ex, out.rows * sketches.omega.size);
    out.Xt = Buffer<T, E>(ex, out.cols * sketches.psi.size);
    out.probe = Buffer<T, E>(ex, out.cols * sketches.probe.size);
    out.Wt = Buffer<T, E>(ex, out.cols * sketches.omega.size);
    sketch(ex, A.At, sketches.omega, out.Q());
    ex.poll();
    Buffer<double, E> norms2(ex, sketches.want_norms ? out.cols : 0);
    SketchPass<T> pass;
    pass.sketch = sketches.psi;
    pass.Y = out.Xt.matrix(out.cols, sketches.psi.size);
    pass.probe = sketches.probe;
    pass.P = out.probe_matrix();
    pass.norms2 = sketches.want_norms ? norms2.data() : nullptr;
    sketch_pass(ex, A.A, pass);
    out.passes = 2;
    out.probe_norm2 = squared_norm(ex, out.probe_matrix());
    if (sketches.want_norms) out.norm2 = sum(ex, norms2.data(), out.cols);
    require_in_range<T>(sketches.want_norms ? out.norm2 : out.probe_norm2);
    return out;
}

/// Q = orth(Y) in the place of Y, W = (Psi Q)^+ X: A ~ Q W.
template <class T, class E>
void solve_core(E& ex, SketchedTwice<T, E>& A) {
    const index l = A.of.omega.size, s = A.of.psi.size;
    Buffer<T, E> triangle(ex, l * l), transposed(ex, l * s), core(ex, s * l);
    const auto R = triangle.matrix(l, l), Zt = transposed.matrix(l, s), Z = core.matrix(s, l);
    orthonormalize<E, T>(ex, A.Q(), R);
    ex.poll();
    sketch(ex, dense_source<T>(A.Q()), A.of.psi, Zt);
    for_each_entry(ex, s, l, TransposeEntry<T>{Zt, Z});
    householder_qr<T>(ex, Z, R);
    ex.poll();
    // W^T = X^T conj(Z) R^-T.
    for_each_entry(ex, s, l, ConjugateEntry<T>{Z, Z});
    gemm<T>(ex, Op::None, Op::None, T(1), A.Xt.matrix(A.cols, s), Z, T(0), A.W());
    trsm<T>(ex, Side::Right, Uplo::Upper, Op::Trans, Diag::NonUnit, R, A.W());
    ex.poll();
}

/// P = (G (A - U diag(s) Vh))^T for the probe G; Vt = Vh^T.
template <class T, class E>
void subtract_triplets(E& ex, const SketchedTwice<T, E>& A, MatrixView<T> U, const real_t<T>* s,
                       MatrixView<T> Vt, MatrixView<T> P) {
    copy<E, T>(ex, A.probe_matrix(), P);
    if (U.cols == 0) return;
    Buffer<T, E> inner(ex, U.cols * P.cols);
    const auto GU = inner.matrix(U.cols, P.cols);  // (G U)^T
    sketch(ex, dense_source<T>(U), A.of.probe, GU);
    for_each_entry(ex, GU.rows, GU.cols, ScaleRowEntry<T>{GU, s});
    gemm<T>(ex, Op::None, Op::None, T(-1), Vt, GU, T(1), P);
}

}  // namespace subspan
