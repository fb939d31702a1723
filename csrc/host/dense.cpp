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
void gemm_serial(Op opA, Op opB, T alpha, In<T> A, In<T> B, T beta, MatrixView<T> C) {
    if (C.rows == 0 || C.cols == 0) return;
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

// Recursive in the triangle, so that nearly all flops are GEMM: the float64 TRSM of OpenBLAS runs at
// less than half of its GEMM rate.
template <class T>
void trsm_serial(Side side, Uplo uplo, Op op, Diag diag, In<T> A, MatrixView<T> B) {
    constexpr index leaf = 32;
    const index n = A.rows;
    if (n <= leaf) return trsm_leaf<T>(side, uplo, op, diag, A, B);
    const index n1 = (n / 2 + leaf - 1) / leaf * leaf, n2 = n - n1;
    const In<T> A11 = A.block(0, 0, n1, n1), A22 = A.block(n1, n1, n2, n2);
    const In<T> off = uplo == Uplo::Lower ? A.block(n1, 0, n2, n1) : A.block(0, n1, n1, n2);
    const bool lower = (uplo == Uplo::Lower) == (op == Op::None);  // shape of op(A)
    const bool left = side == Side::Left;
    const MatrixView<T> B1 = left ? B.row_range(0, n1) : B.columns(0, n1);
    const MatrixView<T> B2 = left ? B.row_range(n1, n2) : B.columns(n1, n2);
    const auto solve = [&](In<T> triangle, MatrixView<T> X) {
        trsm_serial<T>(side, uplo, op, diag, triangle, X);
    };
    const auto subtract = [&](MatrixView<T> X, MatrixView<T> from) {
        if (left)
            gemm_serial<T>(op, Op::None, T(-1), off, X, T(1), from);
        else
            gemm_serial<T>(Op::None, op, T(-1), X, off, T(1), from);
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

/// G = A^H A, upper triangle of the diagonal block.
template <class T>
void herk_serial(In<T> A, MatrixView<T> G) {
    with_blas_int([&]<class Int>(Int) {
        const Int n = narrow<Int>(G.rows), k = narrow<Int>(A.rows), lda = leading<Int>(A.ld),
                  ldg = leading<Int>(G.ld);
        const char u = 'U', t = is_complex<T> ? 'C' : 'T';
        const real_t<T> one(1), zero(0);
        call<T>(Routine::herk, &u, &t, &n, &k, &one, A.data, &lda, &zero, G.data, &ldg);
    });
}

template <class T>
void getrf_serial(MatrixView<T> A, index* transpositions) {
    const index steps = std::min(A.rows, A.cols);
    with_blas_int([&]<class Int>(Int) {
        const Int m = narrow<Int>(A.rows), n = narrow<Int>(A.cols), lda = leading<Int>(A.ld);
        std::vector<Int> ipiv(static_cast<std::size_t>(steps));
        Int info = 0;
        call<T>(Routine::getrf, &m, &n, A.data, &lda, ipiv.data(), &info);
        check(info, "getrf");  // info > 0 is a zero pivot, which the caller reads off U
        for (index j = 0; j < steps; ++j) transpositions[j] = ipiv[static_cast<std::size_t>(j)] - 1;
    });
}

/// Row interchanges of a panel applied to other columns.
template <class T>
void swap_rows(Host& ex, MatrixView<T> A, const index* transpositions, index steps) {
    parallel_for(
        ex, A.cols,
        [&](index j) {
            T* column = A.col(j);
            for (index i = 0; i < steps; ++i) std::swap(column[i], column[transpositions[i]]);
        },
        steps);
}

/// Pieces into which a product of this many flops is cut: one for small ones, else a few per thread,
/// and at least one per second of work so that a long one can be interrupted.
index pieces_for(Host& ex, double flops, index most) {
    const double per_thread = flops < 4e5 || ex.threads() == 1 ? 1 : 2 * ex.threads();
    return std::clamp<index>(static_cast<index>(std::max(per_thread, flops / 5e10)), 1,
                             std::max<index>(most, 1));
}

/// body(first, count) over [0, extent) in pieces; a poll between rounds of pieces.
template <class F>
void in_pieces(Host& ex, index extent, index pieces, const F& body) {
    const index at_once = 4 * ex.threads();
    for (index done = 0; done < pieces; done += at_once) {
        ex.for_each_task(std::min(at_once, pieces - done), [&](index t) {
            const index p = done + t, first = extent * p / pieces;
            body(first, extent * (p + 1) / pieces - first);
        });
        if (pieces > at_once) ex.poll();
    }
}

double product(index a, index b, index c) {
    return static_cast<double>(a) * static_cast<double>(b) * static_cast<double>(c);
}

/// Q from the reflectors in its columns.
template <class T>
void form_from_reflectors(MatrixView<T> Q, const std::vector<T>& tau) {
    with_blas_int([&]<class Int>(Int) {
        const Int m = narrow<Int>(Q.rows), n = narrow<Int>(Q.cols), ld = leading<Int>(Q.ld);
        std::vector<T> work(1);
        Int info = 0, lwork = -1;
        const auto form = [&] {
            call<T>(Routine::orgqr, &m, &n, &n, Q.data, &ld, tau.data(), work.data(), &lwork,
                    &info);
            check(info, "orgqr");
        };
        form();
        work.resize(static_cast<std::size_t>(work_size(work[0])));
        lwork = narrow<Int>(static_cast<index>(work.size()));
        form();
    });
}

}  // namespace

// Split along the longer side of C.
template <class T>
void gemm(Host& ex, Op opA, Op opB, std::type_identity_t<T> alpha, In<T> A, In<T> B,
          std::type_identity_t<T> beta, MatrixView<T> C) {
    const double flops = 2 * product(C.rows, C.cols, opA == Op::None ? A.cols : A.rows);
    if (C.rows >= C.cols) {
        in_pieces(ex, C.rows, pieces_for(ex, flops, C.rows / 16), [&](index i, index r) {
            const In<T> part = opA == Op::None ? A.row_range(i, r) : A.columns(i, r);
            gemm_serial<T>(opA, opB, alpha, part, B, beta, C.row_range(i, r));
        });
    } else {
        in_pieces(ex, C.cols, pieces_for(ex, flops, C.cols / 16), [&](index j, index c) {
            const In<T> part = opB == Op::None ? B.columns(j, c) : B.row_range(j, c);
            gemm_serial<T>(opA, opB, alpha, A, part, beta, C.columns(j, c));
        });
    }
}

// Right-hand sides are independent.
template <class T>
void trsm(Host& ex, Side side, Uplo uplo, Op op, Diag diag, In<T> A, MatrixView<T> B) {
    if (B.rows == 0 || B.cols == 0) return;
    const bool left = side == Side::Left;
    const index sides = left ? B.cols : B.rows;
    in_pieces(ex, sides, pieces_for(ex, product(A.rows, A.rows, sides), sides / 16),
              [&](index first, index count) {
                  trsm_serial<T>(side, uplo, op, diag, A,
                                 left ? B.columns(first, count) : B.row_range(first, count));
              });
}

// Blocks of the upper triangle: diagonal ones by rank-k update, the others by products.
template <class T>
void gram(Host& ex, In<T> A, MatrixView<T> G) {
    const index n = G.rows;
    if (n == 0) return;
    const index blocks = pieces_for(ex, product(A.rows, n, n), n / 16);
    const auto edge = [&](index b) { return n * b / blocks; };
    ex.for_each_task(blocks * (blocks + 1) / 2, [&](index t) {
        index q = 0, p = t;  // block (p, q), p <= q
        while (p > q) p -= ++q;
        const index i = edge(p), r = edge(p + 1) - i, j = edge(q), c = edge(q + 1) - j;
        if (p == q)
            herk_serial<T>(A.columns(i, r), G.block(i, i, r, r));
        else
            gemm_serial<T>(Op::ConjTrans, Op::None, T(1), A.columns(i, r), A.columns(j, c), T(0),
                           G.block(i, j, r, c));
    });
    for (index j = 0; j < n; ++j)
        for (index i = 0; i < j; ++i) {
            if constexpr (is_complex<T>)
                G(j, i) = std::conj(G(i, j));
            else
                G(j, i) = G(i, j);
        }
}

// Recursive in the columns (Toledo 1997), so that the trailing updates are large products.
template <class T>
void lu(Host& ex, MatrixView<T> A, index* transpositions) {
    constexpr index leaf = 32;
    const index n = std::min(A.rows, A.cols);
    if (n == 0) return;
    if (A.cols > n) {  // wide: factor the square part, then the rest of U
        lu<T>(ex, A.columns(0, n), transpositions);
        const auto rest = A.columns(n, A.cols - n);
        swap_rows(ex, rest, transpositions, n);
        trsm<T>(ex, Side::Left, Uplo::Lower, Op::None, Diag::Unit, A.columns(0, n), rest);
        return;
    }
    if (n <= leaf) return getrf_serial(A, transpositions);
    const index n1 = (n / 2 + leaf - 1) / leaf * leaf, n2 = n - n1, m = A.rows;
    const auto left = A.columns(0, n1), right = A.columns(n1, n2);
    lu<T>(ex, left, transpositions);
    swap_rows(ex, right, transpositions, n1);
    trsm<T>(ex, Side::Left, Uplo::Lower, Op::None, Diag::Unit, A.block(0, 0, n1, n1),
            right.row_range(0, n1));
    gemm<T>(ex, Op::None, Op::None, T(-1), left.row_range(n1, m - n1), right.row_range(0, n1), T(1),
            right.row_range(n1, m - n1));
    lu<T>(ex, right.row_range(n1, m - n1), transpositions + n1);
    swap_rows(ex, left.row_range(n1, m - n1), transpositions + n1, n2);
    for (index j = n1; j < n; ++j) transpositions[j] += n1;
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
void householder_qr(Host&, MatrixView<T> A, MatrixView<T> R, bool form_q) {
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
        factor();
        work.resize(static_cast<std::size_t>(work_size(work[0])));
        lwork = narrow<Int>(static_cast<index>(work.size()));
        factor();
        for (index j = 0; j < k; ++j)
            for (index i = 0; i < k; ++i) R(i, j) = i <= j ? A(i, j) : T(0);
        if (form_q) form_from_reflectors<T>(A, tau);
    });
}

template <class T>
void pivoted_qr(Host&, MatrixView<T> A, index* perm, MatrixView<T> Q) {
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
        if (Q.cols == 0) return;
        for (index j = 0; j < Q.cols; ++j) std::copy_n(A.col(j), A.rows, Q.col(j));
        form_from_reflectors<T>(Q, tau);
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
        std::vector<real_t<T>> rwork(
            static_cast<std::size_t>(is_complex<T> ? 7 * k * k + 7 * k : 0));
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

template <class T>
void eigh(Host&, MatrixView<T> A, real_t<T>* w) {
    require(A.rows == A.cols, "eigh expects a square matrix, got ", A.rows, " by ", A.cols);
    if (A.rows == 0) return;
    with_blas_int([&]<class Int>(Int) {
        const Int n = narrow<Int>(A.rows), lda = leading<Int>(A.ld);
        std::vector<T> work(1);
        std::vector<real_t<T>> rwork(1);
        std::vector<Int> iwork(1);
        const char job = 'V', uplo = 'U';
        Int info = 0, lwork = -1, lrwork = -1, liwork = -1;
        const auto factor = [&] {
            if constexpr (is_complex<T>)
                call<T>(Routine::heevd, &job, &uplo, &n, A.data, &lda, w, work.data(), &lwork,
                        rwork.data(), &lrwork, iwork.data(), &liwork, &info);
            else
                call<T>(Routine::heevd, &job, &uplo, &n, A.data, &lda, w, work.data(), &lwork,
                        iwork.data(), &liwork, &info);
            check(info, "heevd");
        };
        factor();
        lwork = narrow<Int>(work_size(work[0]));
        lrwork = narrow<Int>(work_size(rwork[0]));
        liwork = iwork[0];
        work.resize(static_cast<std::size_t>(lwork));
        rwork.resize(static_cast<std::size_t>(lrwork));
        iwork.resize(static_cast<std::size_t>(liwork));
        factor();
        if (info > 0) throw NumericalError("heevd: the eigenvalue iteration did not converge");
    });
}

#define SUBSPAN_INSTANTIATE(T)                                                  \
    template void gemm<T>(Host&, Op, Op, T, In<T>, In<T>, T, MatrixView<T>);    \
    template void trsm<T>(Host&, Side, Uplo, Op, Diag, In<T>, MatrixView<T>);   \
    template void gram<T>(Host&, In<T>, MatrixView<T>);                         \
    template void lu<T>(Host&, MatrixView<T>, index*);                          \
    template void cholesky<T>(Host&, MatrixView<T>, index*);                    \
    template void householder_qr<T>(Host&, MatrixView<T>, MatrixView<T>, bool); \
    template void pivoted_qr<T>(Host&, MatrixView<T>, index*, MatrixView<T>);   \
    template void thin_svd<T>(Host&, MatrixView<T>, real_t<T>*, MatrixView<T>); \
    template void eigh<T>(Host&, MatrixView<T>, real_t<T>*);
SUBSPAN_INSTANTIATE(float)
SUBSPAN_INSTANTIATE(double)
SUBSPAN_INSTANTIATE(std::complex<float>)
SUBSPAN_INSTANTIATE(std::complex<double>)
#undef SUBSPAN_INSTANTIATE

}  // namespace subspan
