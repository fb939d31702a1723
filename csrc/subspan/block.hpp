// Cooperative functors: the threads of a block work together in phases, written once for a device and
// for the host.
//
// A functor has a member type Shared and body(block, shared, b). Code outside of phases is the same
// for every thread; block.each(f) runs f(t) for every thread t and waits for all, so a phase may read
// what earlier phases wrote to `shared` and to memory, and write what no other thread of the phase
// touches. Between phases `shared` is read through block.read() alone, which waits: a thread that is
// ahead must not overwrite what another has yet to read.
#pragma once

#include "subspan/kernels.hpp"

namespace subspan {

inline constexpr int block_threads = 256;  // a power of two

/// A block whose threads run one after the other.
struct SerialBlock {
    template <class F>
    void each(const F& f) const {
        for (int t = 0; t < block_threads; ++t) f(t);
    }
    template <class V>
    V read(const V& shared) const {
        return shared;
    }
};

/// body(block, shared, b) for b = 0 .. blocks-1 on the host.
template <class F>
void run_serial_blocks(index blocks, const F& body) {
    typename F::Shared shared;
    for (index b = 0; b < blocks; ++b) body(SerialBlock{}, shared, b);
}

/// Sum of f(i) over [first, end): a fixed tree over the threads' own sums, so it has the same bits on
/// every executor. `partial` has an entry per thread.
template <class Block, class F>
SUBSPAN_HD double block_sum(const Block& block, double* partial, index first, index end,
                            const F& f) {
    block.each([&](int t) {
        double own = 0;
        for (index i = first + t; i < end; i += block_threads) own += f(i);
        partial[t] = own;
    });
    for (int half = block_threads / 2; half > 0; half /= 2)
        block.each([&](int t) {
            if (t < half) partial[t] += partial[t + half];
        });
    return block.read(partial[0]);
}

/// norms2[j] = ||A(:, j)||^2, the threads of a block on each column.
template <class T>
struct BlockColumnNorm {
    MatrixView<const T> A;
    double* norms2;
    struct Shared {
        double partial[block_threads];
    };
    template <class Block>
    SUBSPAN_HD void operator()(const Block& block, Shared& shared, index j) const {
        const double total = block_sum(block, shared.partial, 0, A.rows,
                                       [&](index i) { return squared_abs(A(i, j)); });
        block.each([&](int t) {
            if (t == 0) norms2[j] = total;
        });
    }
};

}  // namespace subspan
