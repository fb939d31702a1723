// The dense verbs over cuBLAS and cuSOLVER, all sizes 64-bit. Nothing here waits: status words stay
// on the device (failure.hpp), workspace is freed in stream order.
#include "cuda/dense.hpp"

#include <algorithm>
#include <limits>

#include "cuda/lane.hpp"
#include "cuda/library.hpp"
#include "cuda/status.hpp"
#include "subspan/error.hpp"
#include "subspan/kernels.hpp"

namespace subspan {
namespace {

index leading(index ld) {
    return std::max<index>(ld, 1);
}

/// A status word; routines that have nothing to do may leave it alone.
Buffer<int, Cuda> zero_info(Cuda& ex) {
    Buffer<int, Cuda> info(ex, 1);
    check(cudaMemsetAsync(info.data(), 0, sizeof(int), ex.lane().stream), "cudaMemsetAsync");
    return info;
}

/// What a routine of cuSOLVER writes to beside its result.
struct Workspace {
    Buffer<char, Cuda> device;
    void* host = nullptr;
    std::size_t device_bytes = 0, host_bytes = 0;
    Buffer<int, Cuda> info;
};

/// Of the size that query(&device_bytes, &host_bytes) gives for the very call that follows.
template <class Query>
Workspace workspace(Cuda& ex, const char* what, const Query& query) {
    Workspace work;
    check(query(&work.device_bytes, &work.host_bytes), what);
    work.device = Buffer<char, Cuda>(ex, static_cast<index>(work.device_bytes));
    if (work.host_bytes > 0) work.host = ex.keep_on_host(work.host_bytes);
    work.info = zero_info(ex);
    return work;
}

void record(Cuda& ex, const Workspace& work, SolverRoutine routine, bool positive_too) {
    parallel_for(ex, 1, RecordFailure{work.info.data(), positive_too, routine, ex.lane().failure});
}

int narrow(index value) {
    if (value > std::numeric_limits<int>::max())
        throw InvalidArgument(message(
            "dimension ", value, " does not fit the 32-bit sizes that cuSOLVER has for orgqr"));
    return static_cast<int>(value);
}

/// Q from the reflectors in its columns.
template <class T>
void form_from_reflectors(Cuda& ex, MatrixView<T> Q, const T* tau) {
    const Lane& lane = ex.lane();
    const int m = narrow(Q.rows), n = narrow(Q.cols), ld = narrow(leading(Q.ld));
    int entries = 0;
    check(
        Library<T>::form_q_size(lane.solver, m, n, n, library(Q.data), ld, library(tau), &entries),
        "orgqr (workspace)");
    const Buffer<T, Cuda> memory(ex, entries);
    Workspace work;
    work.info = zero_info(ex);
    check(Library<T>::form_q(lane.solver, m, n, n, library(Q.data), ld, library(tau),
                             library(memory.data()), entries, work.info.data()),
          "orgqr");
    record(ex, work, SolverRoutine::Orgqr, true);
}

}  // namespace

template <class T>
void gemm(Cuda& ex, Op opA, Op opB, std::type_identity_t<T> alpha, In<T> A, In<T> B,
          std::type_identity_t<T> beta, MatrixView<T> C) {
    const index inner = opA == Op::None ? A.cols : A.rows;
    if (C.rows == 0 || C.cols == 0) return;
    if (inner == 0) {  // A and B may have no memory, which cuBLAS would refuse
        for_each_entry(ex, C.rows, C.cols, ScaleEntry<T>{C, beta});
        return;
    }
    const OnDevice current(ex.lane().device);
    check(cublasGemmEx_64(ex.lane().blas, cublas(opA), cublas(opB), C.rows, C.cols, inner, &alpha,
                          A.data, data_type<T>, leading(A.ld), B.data, data_type<T>, leading(B.ld),
                          &beta, C.data, data_type<T>, leading(C.ld), compute_type<T>,
                          CUBLAS_GEMM_DEFAULT),
          "gemm");
}

template <class T>
void trsm(Cuda& ex, Side side, Uplo uplo, Op op, Diag diag, In<T> A, MatrixView<T> B) {
    if (B.rows == 0 || B.cols == 0) return;
    const OnDevice current(ex.lane().device);
    const T one(1);
    check(Library<T>::solve_triangular(ex.lane().blas, cublas(side), cublas(uplo), cublas(op),
                                       cublas(diag), B.rows, B.cols, library(&one), library(A.data),
                                       leading(A.ld), library(B.data), leading(B.ld)),
          "trsm");
}

template <class T>
void gram(Cuda& ex, In<T> A, MatrixView<T> G) {
    if (G.rows == 0) return;
    if (A.rows == 0) {
        for_each_entry(ex, G.rows, G.cols, ZeroEntry<T>{G});
        return;
    }
    const OnDevice current(ex.lane().device);
    const real_t<T> one(1), zero(0);
    check(Library<T>::rank_k_update(ex.lane().blas, CUBLAS_FILL_MODE_UPPER,
                                    is_complex<T> ? CUBLAS_OP_C : CUBLAS_OP_T, G.rows, A.rows, &one,
                                    library(A.data), leading(A.ld), &zero, library(G.data),
                                    leading(G.ld)),
          "herk");
    for_each_entry(ex, G.rows, G.cols, MirrorUpperEntry<T>{G});
}

template <class T>
void lu(Cuda& ex, MatrixView<T> A, index* transpositions) {
    const index steps = std::min(A.rows, A.cols);
    if (steps == 0) return;
    const OnDevice current(ex.lane().device);
    const Lane& lane = ex.lane();
    const auto work =
        workspace(ex, "getrf (workspace)", [&](std::size_t* device, std::size_t* host) {
            return cusolverDnXgetrf_bufferSize(lane.solver, lane.params, A.rows, A.cols,
                                               data_type<T>, A.data, leading(A.ld), data_type<T>,
                                               device, host);
        });
    check(cusolverDnXgetrf(lane.solver, lane.params, A.rows, A.cols, data_type<T>, A.data,
                           leading(A.ld), transpositions, data_type<T>, work.device.data(),
                           work.device_bytes, work.host, work.host_bytes, work.info.data()),
          "getrf");
    record(ex, work, SolverRoutine::Getrf, false);  // a zero pivot is read off U by the caller
    parallel_for(ex, steps, ZeroBasedPivot{transpositions});
}

template <class T>
void cholesky(Cuda& ex, MatrixView<T> G, index* info) {
    const OnDevice current(ex.lane().device);
    const Lane& lane = ex.lane();
    if (G.rows == 0)
        return check(cudaMemsetAsync(info, 0, sizeof(index), lane.stream), "cudaMemsetAsync");
    const auto work =
        workspace(ex, "potrf (workspace)", [&](std::size_t* device, std::size_t* host) {
            return cusolverDnXpotrf_bufferSize(lane.solver, lane.params, CUBLAS_FILL_MODE_UPPER,
                                               G.rows, data_type<T>, G.data, leading(G.ld),
                                               data_type<T>, device, host);
        });
    check(cusolverDnXpotrf(lane.solver, lane.params, CUBLAS_FILL_MODE_UPPER, G.rows, data_type<T>,
                           G.data, leading(G.ld), data_type<T>, work.device.data(),
                           work.device_bytes, work.host, work.host_bytes, work.info.data()),
          "potrf");
    record(ex, work, SolverRoutine::Potrf, false);
    parallel_for(ex, 1, WidenInfo{work.info.data(), info});
}

template <class T>
void householder_qr(Cuda& ex, MatrixView<T> A, MatrixView<T> R, bool form_q) {
    const index k = A.cols;
    if (k == 0) return;
    const OnDevice current(ex.lane().device);
    const Lane& lane = ex.lane();
    const Buffer<T, Cuda> tau(ex, k);
    const auto work =
        workspace(ex, "geqrf (workspace)", [&](std::size_t* device, std::size_t* host) {
            return cusolverDnXgeqrf_bufferSize(lane.solver, lane.params, A.rows, k, data_type<T>,
                                               A.data, leading(A.ld), data_type<T>, tau.data(),
                                               data_type<T>, device, host);
        });
    check(cusolverDnXgeqrf(lane.solver, lane.params, A.rows, k, data_type<T>, A.data, leading(A.ld),
                           data_type<T>, tau.data(), data_type<T>, work.device.data(),
                           work.device_bytes, work.host, work.host_bytes, work.info.data()),
          "geqrf");
    record(ex, work, SolverRoutine::Geqrf, true);
    for_each_entry(ex, k, k, CopyEntry<T>{A, R});
    for_each_entry(ex, k, k, UpperTriangleEntry<T>{R});
    if (form_q) form_from_reflectors<T>(ex, A, tau.data());
}

template <class T>
void thin_svd(Cuda& ex, MatrixView<T> A, real_t<T>* s, MatrixView<T> Vh) {
    require(A.rows >= A.cols, "thin_svd expects a tall matrix, got ", A.rows, " by ", A.cols);
    if (A.cols == 0) return;
    const OnDevice current(ex.lane().device);
    const Lane& lane = ex.lane();
    const Buffer<T, Cuda> memory(ex, A.rows * A.cols);
    const auto U = memory.matrix(A.rows, A.cols);
    const auto work =
        workspace(ex, "gesvd (workspace)", [&](std::size_t* device, std::size_t* host) {
            return cusolverDnXgesvd_bufferSize(
                lane.solver, lane.params, 'S', 'S', A.rows, A.cols, data_type<T>, A.data,
                leading(A.ld), data_type<real_t<T>>, s, data_type<T>, U.data, U.ld, data_type<T>,
                Vh.data, leading(Vh.ld), data_type<T>, device, host);
        });
    check(cusolverDnXgesvd(lane.solver, lane.params, 'S', 'S', A.rows, A.cols, data_type<T>, A.data,
                           leading(A.ld), data_type<real_t<T>>, s, data_type<T>, U.data, U.ld,
                           data_type<T>, Vh.data, leading(Vh.ld), data_type<T>, work.device.data(),
                           work.device_bytes, work.host, work.host_bytes, work.info.data()),
          "gesvd");
    record(ex, work, SolverRoutine::Gesvd, true);
    for_each_entry(ex, A.rows, A.cols, CopyEntry<T>{U, A});
}

template <class T>
void eigh(Cuda& ex, MatrixView<T> A, real_t<T>* w) {
    require(A.rows == A.cols, "eigh expects a square matrix, got ", A.rows, " by ", A.cols);
    if (A.rows == 0) return;
    const OnDevice current(ex.lane().device);
    const Lane& lane = ex.lane();
    const auto work =
        workspace(ex, "syevd (workspace)", [&](std::size_t* device, std::size_t* host) {
            return cusolverDnXsyevd_bufferSize(lane.solver, lane.params, CUSOLVER_EIG_MODE_VECTOR,
                                               CUBLAS_FILL_MODE_UPPER, A.rows, data_type<T>, A.data,
                                               leading(A.ld), data_type<real_t<T>>, w, data_type<T>,
                                               device, host);
        });
    check(cusolverDnXsyevd(lane.solver, lane.params, CUSOLVER_EIG_MODE_VECTOR,
                           CUBLAS_FILL_MODE_UPPER, A.rows, data_type<T>, A.data, leading(A.ld),
                           data_type<real_t<T>>, w, data_type<T>, work.device.data(),
                           work.device_bytes, work.host, work.host_bytes, work.info.data()),
          "syevd");
    record(ex, work, SolverRoutine::Syevd, true);
}

#define SUBSPAN_INSTANTIATE(T)                                                  \
    template void gemm<T>(Cuda&, Op, Op, T, In<T>, In<T>, T, MatrixView<T>);    \
    template void trsm<T>(Cuda&, Side, Uplo, Op, Diag, In<T>, MatrixView<T>);   \
    template void gram<T>(Cuda&, In<T>, MatrixView<T>);                         \
    template void lu<T>(Cuda&, MatrixView<T>, index*);                          \
    template void cholesky<T>(Cuda&, MatrixView<T>, index*);                    \
    template void householder_qr<T>(Cuda&, MatrixView<T>, MatrixView<T>, bool); \
    template void thin_svd<T>(Cuda&, MatrixView<T>, real_t<T>*, MatrixView<T>); \
    template void eigh<T>(Cuda&, MatrixView<T>, real_t<T>*);
SUBSPAN_INSTANTIATE(float)
SUBSPAN_INSTANTIATE(double)
SUBSPAN_INSTANTIATE(std::complex<float>)
SUBSPAN_INSTANTIATE(std::complex<double>)
#undef SUBSPAN_INSTANTIATE

}  // namespace subspan
