// Residual norms below the reach of downdating: the norms of a Gaussian sketch of A - Q R.
//
// Downdating d_j -= |w|^2 loses the digits that d_j falls below ||a_j||^2. A sketch of the residual is
// updated linearly, so it stays right down to eps ||a_j|| in norm, and costs 2 l n flops per new column
// of Q, where the residual itself would cost 2 m n. Its squared norms have the relative standard
// deviation sqrt(2 / l).
#pragma once

#include "subspan/kernels.hpp"
#include "subspan/source.hpp"

namespace subspan {

template <class T, Exec E>
class SketchedResidual {
  public:
    static constexpr index size = 32;  // l

    explicit operator bool() const { return n_ > 0; }

    /// One pass over A: the sketch of A - Q R for Q, R^T as they are now.
    template <class S>
    void start(E& ex, const S& A, const StreamId& id, MatrixView<T> Q, MatrixView<T> Rt) {
        n_ = A.cols;
        memory_ = Buffer<T, E>(ex, n_ * size);
        operator_.kind = SketchKind::Gaussian;
        operator_.size = size;
        operator_.dim = A.rows;
        operator_.id = id;
        operator_.id.operand = 3;
        SketchPass<T> pass;
        pass.probe = operator_;
        pass.P = residual();
        sketch_pass(ex, A, pass);
        subtract(ex, Q, Rt);
    }

    /// (S A)^T -= R^T (S Q)^T for new columns of Q and of R^T.
    void subtract(E& ex, MatrixView<T> Q, MatrixView<T> Rt) {
        if (Q.cols == 0) return;
        Buffer<T, E> product(ex, Q.cols * size);
        const auto SQt = product.matrix(Q.cols, size);
        sketch(ex, dense_source<T>(Q), operator_, SQt);
        gemm<T>(ex, Op::None, Op::None, T(-1), Rt, SQt, T(1), residual());
    }

    /// Estimates of the squared residual norms of all columns of A.
    std::vector<double> norms2(E& ex) const {
        Buffer<double, E> squares(ex, n_);
        parallel_for(ex, n_, RowNorm<T>{residual(), squares.data()}, size);
        return fetch(ex, squares.data(), n_);
    }

  private:
    MatrixView<T> residual() const { return memory_.matrix(n_, size); }

    index n_ = 0;
    SketchOperator operator_;
    Buffer<T, E> memory_;
};

}  // namespace subspan
