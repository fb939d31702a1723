// Block reflectors H = I - Y T Y^H rebuilt from an orthonormal block.
//
// Q D is the leading columns of H for a diagonal D of phases: I - Q D = Y (T Y1^H) is an LU
// factorization, with phases such that every pivot is at least 1 and no row is exchanged (Ballard,
// Demmel, Grigori, Jacquelin, Nguyen, Solomonik, IPDPS 2014). So panels can be factored by
// Cholesky-QR at the speed of GEMM, and the product of the reflectors is orthonormal whatever the panels.
#pragma once

#include <vector>

#include "subspan/orthonormalize.hpp"

namespace subspan {

namespace detail {

/// The b-by-b factors on the host, column-major.
template <class T>
struct ReflectorFactors {
    std::vector<T> Y1, U, T_, phases;  // I - Q1 D = Y1 U, T = U Y1^-H, D = diag(phases)

    ReflectorFactors(std::vector<T> Q1, index b)
        : Y1(Q1.size(), T(0)), U(Y1), T_(Y1), phases(static_cast<std::size_t>(b)) {
        const auto at = [b](index i, index j) { return static_cast<std::size_t>(i + j * b); };
        for (index j = 0; j < b; ++j) {
            const T q = Q1[at(j, j)];
            const auto size = static_cast<real_t<T>>(std::abs(q));
            const T d = size == 0 ? T(-1) : -conjugate(q) / size;
            phases[static_cast<std::size_t>(j)] = d;
            for (index i = 0; i < j; ++i) U[at(i, j)] = -d * Q1[at(i, j)];
            U[at(j, j)] = T(1 + size);
            Y1[at(j, j)] = T(1);
            for (index i = j + 1; i < b; ++i) Y1[at(i, j)] = -d * Q1[at(i, j)] / (1 + size);
            for (index c = j + 1; c < b; ++c)
                for (index i = j + 1; i < b; ++i) Q1[at(i, c)] -= Y1[at(i, j)] * Q1[at(j, c)];
        }
        for (index j = 0; j < b; ++j)  // T Y1^H = U, columns of T from the left
            for (index i = 0; i < b; ++i) {
                T sum = U[at(i, j)];
                for (index l = 0; l < j; ++l) sum -= T_[at(i, l)] * conjugate(Y1[at(j, l)]);
                T_[at(i, j)] = sum;
            }
    }
};

}  // namespace detail

/// One block reflector; Y lives in somebody else's memory.
template <class T, Exec E>
struct BlockReflector {
    MatrixView<T> Y;
    Buffer<T, E> t;  // b-by-b

    /// C = H C, or H^H C.
    void apply(E& ex, Op op, MatrixView<T> C) const {
        const index b = Y.cols;
        if (C.cols == 0) return;
        Buffer<T, E> z(ex, b * C.cols), tz(ex, b * C.cols);
        const auto Z = z.matrix(b, C.cols), TZ = tz.matrix(b, C.cols);
        gemm<T>(ex, Op::ConjTrans, Op::None, T(1), Y, C, T(0), Z);
        gemm<T>(ex, op, Op::None, T(1), t.matrix(b, b), Z, T(0), TZ);
        gemm<T>(ex, Op::None, Op::None, T(-1), Y, TZ, T(1), C);
    }
};

/// V = Q R, the reflector H with H^H V = [R_new; 0], V overwritten by Y, and R_new = D^H R.
template <class T, class E>
BlockReflector<T, E> reflect_panel(E& ex, MatrixView<T> V, MatrixView<T> R_new) {
    const index b = V.cols;
    Buffer<T, E> triangle(ex, b * b), top(ex, b * b);
    const auto R = triangle.matrix(b, b);
    orthonormalize<E, T>(ex, V, R);
    copy<E, T>(ex, V.row_range(0, b), top.matrix(b, b));
    detail::ReflectorFactors<T> factors(fetch(ex, top.data(), b * b), b);

    std::vector<T> phases(factors.U.size(), T(0));
    for (index j = 0; j < b; ++j) {
        const T d = conjugate(factors.phases[static_cast<std::size_t>(j)]);
        phases[static_cast<std::size_t>(j + j * b)] = d;
        for (index i = 0; i <= j; ++i) factors.U[static_cast<std::size_t>(i + j * b)] *= -d;
    }
    const auto DH = upload<T>(ex, phases), UDH = upload<T>(ex, factors.U);  // -U D^H
    const auto Y1 = upload<T>(ex, factors.Y1);
    gemm<T>(ex, Op::None, Op::None, T(1), DH.matrix(b, b), R, T(0), R_new);
    trsm<T>(ex, Side::Right, Uplo::Upper, Op::None, Diag::NonUnit, UDH.matrix(b, b),
            V.row_range(b, V.rows - b));  // Y2 = -Q2 D U^-1
    copy<E, T>(ex, Y1.matrix(b, b), V.row_range(0, b));
    return {V, upload<T>(ex, factors.T_)};
}

}  // namespace subspan
