// Column-pivoted QR in cooperative functors, for executors whose libraries have none.
//
// Householder reflectors one at a time with LAPACK's rule for the column norms (Drmac and Bujanovic,
// ACM TOMS 2008): downdated, and computed anew where cancellation has used up half of the digits. Two
// launches a step and nothing read back, so the cost is the latency of 2 min(m, n) launches for a
// sketch, and memory traffic for a large matrix.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "subspan/block.hpp"
#include "subspan/kernels.hpp"

namespace subspan {

/// Norms of the columns of what is left, now and when last computed.
struct ColumnNorms {
    double *now, *then;
};

/// perm[j] = j and the norms of the columns of A; a block for each.
template <class T>
struct StartPivoting {
    MatrixView<const T> A;
    ColumnNorms norms;
    index* perm;
    struct Shared {
        double partial[block_threads];
    };
    template <class Block>
    SUBSPAN_HD void operator()(const Block& block, Shared& shared, index j) const {
        const double norm2 = block_sum(block, shared.partial, 0, A.rows,
                                       [&](index i) { return squared_abs(A(i, j)); });
        block.each([&](int t) {
            if (t > 0) return;
            norms.now[j] = norms.then[j] = std::sqrt(norm2);
            perm[j] = j;
        });
    }
};

template <class T>
SUBSPAN_HD double real_part(T x) {
    if constexpr (is_complex<T>)
        return static_cast<double>(x.real());
    else
        return static_cast<double>(x);
}

/// Step k: brings the column of largest norm to place k and makes its reflector I - tau v v^H, with
/// v below the diagonal, v_k = 1. One block.
template <class T>
struct PivotAndReflect {
    MatrixView<T> A;
    ColumnNorms norms;
    index* perm;
    T* tau;
    index k;
    struct Shared {
        double partial[block_threads];
        index at[block_threads];
        T scale;
    };

    template <class Block>
    SUBSPAN_HD void operator()(const Block& block, Shared& shared, index) const {
        bring(block, find(block, shared));
        const double below2 = block_sum(block, shared.partial, k + 1, A.rows,
                                        [&](index i) { return squared_abs(A(i, k)); });
        block.each([&](int t) {
            if (t == 0) shared.scale = reflect(below2);
        });
        const T scale = block.read(shared.scale);
        block.each([&](int t) {
            for (index i = k + 1 + t; i < A.rows; i += block_threads) A(i, k) = A(i, k) * scale;
        });
    }

  private:
    /// The first column of largest norm.
    template <class Block>
    SUBSPAN_HD index find(const Block& block, Shared& shared) const {
        block.each([&](int t) {
            double largest = -1;
            index at = k;
            for (index j = k + t; j < A.cols; j += block_threads)
                if (norms.now[j] > largest) {
                    largest = norms.now[j];
                    at = j;
                }
            shared.partial[t] = largest;
            shared.at[t] = at;
        });
        for (int half = block_threads / 2; half > 0; half /= 2)
            block.each([&](int t) {
                if (t >= half) return;
                const double mine = shared.partial[t], other = shared.partial[t + half];
                const bool first = shared.at[t + half] < shared.at[t];
                if (other > mine || (other == mine && first)) {
                    shared.partial[t] = other;
                    shared.at[t] = shared.at[t + half];
                }
            });
        return block.read(shared.at[0]);
    }

    template <class Block>
    SUBSPAN_HD void bring(const Block& block, index pivot) const {
        if (pivot == k) return;
        block.each([&](int t) {
            for (index i = t; i < A.rows; i += block_threads) {
                const T held = A(i, k);
                A(i, k) = A(i, pivot);
                A(i, pivot) = held;
            }
            if (t > 0) return;
            const index moved = perm[k];
            perm[k] = perm[pivot];
            perm[pivot] = moved;
            norms.now[pivot] = norms.now[k];
            norms.then[pivot] = norms.then[k];
        });
    }

    /// beta to the diagonal and tau, as LAPACK's larfg has them; returns 1 / (alpha - beta).
    SUBSPAN_HD T reflect(double below2) const {
        using R = real_t<T>;
        const T alpha = A(k, k);
        const double real = real_part(alpha);
        double imaginary = 0;
        if constexpr (is_complex<T>) imaginary = static_cast<double>(alpha.imag());
        if (below2 == 0 && imaginary == 0) {
            tau[k] = T(0);
            return T(1);  // of zeros
        }
        const double size = std::sqrt(squared_abs(alpha) + below2);
        const double beta = real > 0 ? -size : size, apart = real - beta;
        A(k, k) = T(static_cast<R>(beta));
        if constexpr (is_complex<T>) {
            const double square = apart * apart + imaginary * imaginary;
            tau[k] = T(static_cast<R>(-apart / beta), static_cast<R>(-imaginary / beta));
            return T(static_cast<R>(apart / square), static_cast<R>(-imaginary / square));
        } else {
            tau[k] = T(-apart / beta);
            return T(1 / apart);
        }
    }
};

/// v^H C(:, j) for the reflector v in column k of V.
template <class T, class Block>
SUBSPAN_HD T reflector_times(const Block& block, double* partial, MatrixView<const T> V, index k,
                             MatrixView<const T> C, index j) {
    using R = real_t<T>;
    const auto product = [&](index i) {
        return i == k ? T(C(i, j)) : T(conjugate(V(i, k)) * C(i, j));
    };
    const double real =
        block_sum(block, partial, k, C.rows, [&](index i) { return real_part(product(i)); });
    if constexpr (is_complex<T>) {
        const double imaginary = block_sum(block, partial, k, C.rows, [&](index i) {
            return static_cast<double>(product(i).imag());
        });
        return T(static_cast<R>(real), static_cast<R>(imaginary));
    } else {
        return static_cast<R>(real);
    }
}

/// C(:, j) -= factor v (v^H C(:, j)); a block for each column.
template <class T, class Block>
SUBSPAN_HD void reflect_column(const Block& block, double* partial, MatrixView<const T> V, index k,
                               T factor, MatrixView<T> C, index j) {
    const T w = factor * reflector_times<T>(block, partial, V, k, C, j);
    block.each([&](int t) {
        for (index i = k + t; i < C.rows; i += block_threads) C(i, j) -= i == k ? w : V(i, k) * w;
    });
}

/// Step k, for the columns behind the pivot: A = H^H A and the norms of what is left.
template <class T>
struct ReflectTrailing {
    MatrixView<T> A;
    ColumnNorms norms;
    const T* tau;
    index k;
    struct Shared {
        double partial[block_threads];
    };

    template <class Block>
    SUBSPAN_HD void operator()(const Block& block, Shared& shared, index b) const {
        const index j = k + 1 + b;
        reflect_column<T>(block, shared.partial, A, k, conjugate(tau[k]), A, j);
        const double now = block.read(norms.now[j]), then = block.read(norms.then[j]);
        if (now == 0) return;
        const double left = 1 - squared_abs(A(k, j)) / (now * now);
        const double ratio = now / then;
        constexpr double half_the_digits = sizeof(real_t<T>) == 4 ? 3.4526698e-4 : 1.4901161e-8;
        double norm;
        const bool cancelled = !(left * ratio * ratio > half_the_digits);
        if (cancelled)
            norm = std::sqrt(block_sum(block, shared.partial, k + 1, A.rows,
                                       [&](index i) { return squared_abs(A(i, j)); }));
        else
            norm = now * std::sqrt(left);
        block.each([&](int t) {
            if (t > 0) return;
            norms.now[j] = norm;
            if (cancelled) norms.then[j] = norm;
        });
    }
};

/// Q = H Q for reflector k, in the columns of Q from k on.
template <class T>
struct ReflectBasis {
    MatrixView<const T> V;
    MatrixView<T> Q;
    const T* tau;
    index k;
    struct Shared {
        double partial[block_threads];
    };
    template <class Block>
    SUBSPAN_HD void operator()(const Block& block, Shared& shared, index b) const {
        reflect_column<T>(block, shared.partial, V, k, tau[k], Q, k + b);
    }
};

namespace plain {

/// The verb pivoted_qr; what it means is written in dense.hpp.
template <class T, class E>
void pivoted_qr(E& ex, MatrixView<T> A, index* perm, MatrixView<T> Q) {
    const index steps = std::min(A.rows, A.cols);
    if (A.cols == 0) return;
    Buffer<double, E> now(ex, A.cols), then(ex, A.cols);
    Buffer<T, E> tau(ex, steps);
    const ColumnNorms norms{now.data(), then.data()};
    for_each_block(ex, A.cols, StartPivoting<T>{A, norms, perm});
    for (index k = 0; k < steps; ++k) {
        for_each_block(ex, 1, PivotAndReflect<T>{A, norms, perm, tau.data(), k});
        for_each_block(ex, A.cols - k - 1, ReflectTrailing<T>{A, norms, tau.data(), k});
    }
    if (Q.cols == 0) return;
    for_each_entry(ex, Q.rows, Q.cols, IdentityEntry<T>{Q});
    for (index k = Q.cols - 1; k >= 0; --k)
        for_each_block(ex, Q.cols - k, ReflectBasis<T>{A, Q, tau.data(), k});
}

}  // namespace plain

}  // namespace subspan
