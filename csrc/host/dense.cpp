// The dense verbs over BLAS and LAPACK. Status codes become exceptions or the documented flags.
#include "host/dense.hpp"

#include <algorithm>
#include <limits>
#include <type_traits>
#include <vector>

#include "host/lapack_table.hpp"
#include "subspan/error.hpp"

namespace subspan {
namespace {

/// Calls `body` with the integer type of the loaded library.
template <class F>
void with_blas_int(const F& body) {
    if (lapack_table().ilp64())
        body(std::int64_t{});
    else
        body(std::int32_t{});
}

template <class Int>
Int narrow(index value) {
    if (value > std::numeric_limits<Int>::max())
        throw InvalidArgument(message("dimension ", value,
                                      " does not fit the 32-bit integers of the loaded BLAS; use a "
                                      "numpy built with 64-bit BLAS integers"));
    return static_cast<Int>(value);
}

template <class Int>
Int leading(index ld) {
    return narrow<Int>(std::max<index>(ld, 1));
}

/// Calls a Fortran routine by table entry: character arguments by address, hidden string lengths
/// left to the callee's defaults (all are 1 and none is read by BLAS or LAPACK).
template <class T, class... Args>
void call(Routine routine, Args... args) {
    reinterpret_cast<void (*)(Args...)>(lapack_table().function(routine, dtype_slot<T>))(args...);
}

void check(index info, const char* routine) {
    if (info < 0)
        throw NumericalError(message(routine, ": argument ", -info, " is illegal (", routine,
                                     " was given inconsistent sizes)"));
}

/// Workspace sizes come back in the first entry of the work array.
template <class T>
index work_size(T first) {
    return std::max<index>(1, static_cast<index>(std::real(first)));
}

template <class T>
void gemm_once(Op opA, Op opB, T alpha, In<T> A, In<T> B, T beta, MatrixView<T> C) {
    const index inner = opA == Op::None ? A.cols : A.rows;
    with_blas_int([&]<class Int>(Int) {
        const Int m = narrow<Int>(C.rows), n = narrow<Int>(C.cols), k = narrow<Int>(inner);
        const Int lda = leading<Int>(A.ld), ldb = leading<Int>(B.ld), ldc = leading<Int>(C.ld);
        const char ta = static_cast<char>(opA), tb = static_cast<char>(opB);
        call<T>(Routine::gemm, &ta, &tb, &m, &n, &k, &alpha, A.data, &lda, B.data, &ldb, &beta,
                C.data, &ldc);
    });
}

template <class T>
void trsm_leaf(Side side, Uplo uplo, Op op, Diag diag, In<T> A, MatrixView<T> B) {
    with_blas_int([&]<class Int>(Int) {
        const Int m = narrow<Int>(B.rows), n = narrow<Int>(B.cols);
        const Int lda = leading<Int>(A.ld), ldb = leading<Int>(B.ld);
        const char s = static_cast<char>(side), u = static_cast<char>(uplo),
                   o = static_cast<char>(op), d = static_cast<char>(diag);
        const T one(1);
        call<T>(Routine::trsm, &s, &u, &o, &d, &m, &n, &one, A.data, &lda, B.data, &ldb);
    });
}

}  // namespace

template <class T>
void gemm(Host& ex, Op opA, Op opB, std::type_identity_t<T> alpha, In<T> A, In<T> B,
          std::type_identity_t<T> beta, MatrixView<T> C) {
    if (C.rows == 0 || C.cols == 0) return;
    const index inner = opA == Op::None ? A.cols : A.rows;
    // About a second of work per call, so that a long product can be interrupted.
    const double flops = 2.0 * static_cast<double>(C.rows) * static_cast<double>(C.cols) *
                         static_cast<double>(std::max<index>(inner, 1));
    const index pieces = std::clamp<index>(static_cast<index>(flops / 1e11), 1, C.cols);
    for (index p = 0; p < pieces; ++p) {
        const index j0 = C.cols * p / pieces, j1 = C.cols * (p + 1) / pieces;
        const In<T> Bp = opB == Op::None ? B.columns(j0, j1 - j0) : B.row_range(j0, j1 - j0);
        gemm_once<T>(opA, opB, alpha, A, Bp, beta, C.columns(j0, j1 - j0));
        if (pieces > 1) ex.poll();
    }
}

// Recursive in the triangle, so that nearly all flops are GEMM: the float64 TRSM of OpenBLAS runs at
// less than half of its GEMM rate.
template <class T>
void trsm(Host& ex, Side side, Uplo uplo, Op op, Diag diag, In<T> A, MatrixView<T> B) {
    constexpr index leaf = 64;
    const index n = A.rows;
    if (B.rows == 0 || B.cols == 0) return;
    if (n <= leaf) return trsm_leaf<T>(side, uplo, op, diag, A, B);
    const index n1 = (n / 2 + leaf - 1) / leaf * leaf, n2 = n - n1;
    const In<T> A11 = A.block(0, 0, n1, n1), A22 = A.block(n1, n1, n2, n2);
    const In<T> off = uplo == Uplo::Lower ? A.block(n1, 0, n2, n1) : A.block(0, n1, n1, n2);
    const bool lower = (uplo == Uplo::Lower) == (op == Op::None);  // shape of op(A)
    const bool left = side == Side::Left;
    const MatrixView<T> B1 = left ? B.row_range(0, n1) : B.columns(0, n1);
    const MatrixView<T> B2 = left ? B.row_range(n1, n2) : B.columns(n1, n2);
    const auto solve = [&](In<T> triangle, MatrixView<T> X) {
        trsm<T>(ex, side, uplo, op, diag, triangle, X);
    };
    const auto subtract = [&](MatrixView<T> X, MatrixView<T> from) {
        if (left)
            gemm<T>(ex, op, Op::None, T(-1), off, X, T(1), from);
        else
            gemm<T>(ex, Op::None, op, T(-1), X, off, T(1), from);
    };
    if (lower == left) {  // the first block is known without the second
        solve(A11, B1);
        subtract(B1, B2);
        solve(A22, B2);
    } else {
        solve(A22, B2);
        subtract(B2, B1);
        solve(A11, B1);
    }
}

template <class T>
void gram(Host&, In<T> A, MatrixView<T> G) {
    const index n = G.rows;
    if (n == 0) return;
    with_blas_int([&]<class Int>(Int) {
        const Int nn = narrow<Int>(n), k = narrow<Int>(A.rows), lda = leading<Int>(A.ld),
                  ldg = leading<Int>(G.ld);
        const char u = 'U', t = is_complex<T> ? 'C' : 'T';
        const real_t<T> one(1), zero(0);
        call<T>(Routine::herk, &u, &t, &nn, &k, &one, A.data, &lda, &zero, G.data, &ldg);
    });
    for (index j = 0; j < n; ++j)
        for (index i = 0; i < j; ++i) {
            if constexpr (is_complex<T>)
                G(j, i) = std::conj(G(i, j));
            else
                G(j, i) = G(i, j);
        }
}

template <class T>
void lu(Host&, MatrixView<T> A, index* transpositions) {
    const index steps = std::min(A.rows, A.cols);
    if (steps == 0) return;
    with_blas_int([&]<class Int>(Int) {
        const Int m = narrow<Int>(A.rows), n = narrow<Int>(A.cols), lda = leading<Int>(A.ld);
        std::vector<Int> ipiv(static_cast<std::size_t>(steps));
        Int info = 0;
        call<T>(Routine::getrf, &m, &n, A.data, &lda, ipiv.data(), &info);
        check(info, "getrf");  // info > 0 is a zero pivot, which the caller reads off U
        for (index j = 0; j < steps; ++j) transpositions[j] = ipiv[static_cast<std::size_t>(j)] - 1;
    });
}

template <class T>
void cholesky(Host&, MatrixView<T> G, index* info) {
    *info = 0;
    if (G.rows == 0) return;
    with_blas_int([&]<class Int>(Int) {
        const Int n = narrow<Int>(G.rows), ld = leading<Int>(G.ld);
        const char u = 'U';
        Int status = 0;
        call<T>(Routine::potrf, &u, &n, G.data, &ld, &status);
        check(status, "potrf");
        *info = status;
    });
}

template <class T>
void householder_qr(Host&, MatrixView<T> A, MatrixView<T> R) {
    const index k = A.cols;
    if (k == 0) return;
    with_blas_int([&]<class Int>(Int) {
        const Int m = narrow<Int>(A.rows), n = narrow<Int>(k), lda = leading<Int>(A.ld);
        std::vector<T> tau(static_cast<std::size_t>(k)), work(1);
        Int info = 0, lwork = -1;
        const auto factor = [&] {
            call<T>(Routine::geqrf, &m, &n, A.data, &lda, tau.data(), work.data(), &lwork, &info);
            check(info, "geqrf");
        };
        const auto form = [&] {
            call<T>(Routine::orgqr, &m, &n, &n, A.data, &lda, tau.data(), work.data(), &lwork,
                    &info);
            check(info, "orgqr");
        };
        factor();
        const index needed = work_size(work[0]);
        form();
        work.resize(static_cast<std::size_t>(std::max(needed, work_size(work[0]))));
        lwork = narrow<Int>(static_cast<index>(work.size()));
        factor();
        for (index j = 0; j < k; ++j)
            for (index i = 0; i < k; ++i) R(i, j) = i <= j ? A(i, j) : T(0);
        form();
    });
}

template <class T>
void pivoted_qr(Host&, MatrixView<T> A, index* perm) {
    const index steps = std::min(A.rows, A.cols);
    for (index j = 0; j < A.cols; ++j) perm[j] = j;
    if (steps == 0) return;
    with_blas_int([&]<class Int>(Int) {
        const Int m = narrow<Int>(A.rows), n = narrow<Int>(A.cols), lda = leading<Int>(A.ld);
        std::vector<Int> jpvt(static_cast<std::size_t>(A.cols), Int{0});
        std::vector<T> tau(static_cast<std::size_t>(steps)), work(1);
        std::vector<real_t<T>> rwork(static_cast<std::size_t>(is_complex<T> ? 2 * A.cols : 0));
        Int info = 0, lwork = -1;
        const auto factor = [&] {
            if constexpr (is_complex<T>)
                call<T>(Routine::geqp3, &m, &n, A.data, &lda, jpvt.data(), tau.data(), work.data(),
                        &lwork, rwork.data(), &info);
            else
                call<T>(Routine::geqp3, &m, &n, A.data, &lda, jpvt.data(), tau.data(), work.data(),
                        &lwork, &info);
            check(info, "geqp3");
        };
        factor();
        work.resize(static_cast<std::size_t>(work_size(work[0])));
        lwork = narrow<Int>(static_cast<index>(work.size()));
        factor();
        for (index j = 0; j < A.cols; ++j) perm[j] = jpvt[static_cast<std::size_t>(j)] - 1;
    });
}

template <class T>
void thin_svd(Host&, MatrixView<T> A, real_t<T>* s, MatrixView<T> Vh) {
    const index k = std::min(A.rows, A.cols);
    require(A.rows >= A.cols, "thin_svd expects a tall matrix, got ", A.rows, " by ", A.cols);
    if (k == 0) return;
    with_blas_int([&]<class Int>(Int) {
        const Int m = narrow<Int>(A.rows), n = narrow<Int>(A.cols), lda = leading<Int>(A.ld),
                  ldv = leading<Int>(Vh.ld), one = 1;
        std::vector<T> work(1);
        std::vector<Int> iwork(static_cast<std::size_t>(8 * k));
        std::vector<real_t<T>> rwork(static_cast<std::size_t>(is_complex<T> ? 7 * k * k + 7 * k : 0));
        const char job = 'O';  // U overwrites A
        Int info = 0, lwork = -1;
        T unused(0);
        const auto factor = [&] {
            if constexpr (is_complex<T>)
                call<T>(Routine::gesdd, &job, &m, &n, A.data, &lda, s, &unused, &one, Vh.data, &ldv,
                        work.data(), &lwork, rwork.data(), iwork.data(), &info);
            else
                call<T>(Routine::gesdd, &job, &m, &n, A.data, &lda, s, &unused, &one, Vh.data, &ldv,
                        work.data(), &lwork, iwork.data(), &info);
            check(info, "gesdd");
        };
        factor();
        work.resize(static_cast<std::size_t>(work_size(work[0])));
        lwork = narrow<Int>(static_cast<index>(work.size()));
        factor();
        if (info > 0) throw NumericalError("gesdd: the singular value iteration did not converge");
    });
}

#define SUBSPAN_INSTANTIATE(T)                                                              \
    template void gemm<T>(Host&, Op, Op, T, In<T>, In<T>, T, MatrixView<T>);                \
    template void trsm<T>(Host&, Side, Uplo, Op, Diag, In<T>, MatrixView<T>);               \
    template void gram<T>(Host&, In<T>, MatrixView<T>);                                     \
    template void lu<T>(Host&, MatrixView<T>, index*);                                      \
    template void cholesky<T>(Host&, MatrixView<T>, index*);                                \
    template void householder_qr<T>(Host&, MatrixView<T>, MatrixView<T>);                   \
    template void pivoted_qr<T>(Host&, MatrixView<T>, index*);                              \
    template void thin_svd<T>(Host&, MatrixView<T>, real_t<T>*, MatrixView<T>);
SUBSPAN_INSTANTIATE(float)
SUBSPAN_INSTANTIATE(double)
SUBSPAN_INSTANTIATE(std::complex<float>)
SUBSPAN_INSTANTIATE(std::complex<double>)
#undef SUBSPAN_INSTANTIATE

}  // namespace subspan
