// cuBLAS and cuSOLVER by dtype: enumerations, pointer types, the routines without a generic form.
#pragma once

#include <cublas_v2.h>
#include <cusolverDn.h>

#include <complex>
#include <type_traits>

#include "subspan/types.hpp"

namespace subspan {

template <class T>
inline constexpr bool is_single = std::is_same_v<real_t<T>, float>;

template <class T>
inline constexpr cudaDataType_t data_type =
    is_complex<T> ? (is_single<T> ? CUDA_C_32F : CUDA_C_64F)
                  : (is_single<T> ? CUDA_R_32F : CUDA_R_64F);

/// Full precision: TF32 is another compute type, or a math mode that our handles are never set to.
template <class T>
inline constexpr cublasComputeType_t compute_type =
    is_single<T> ? CUBLAS_COMPUTE_32F : CUBLAS_COMPUTE_64F;

constexpr cublasOperation_t cublas(Op op) {
    return op == Op::None ? CUBLAS_OP_N : op == Op::Trans ? CUBLAS_OP_T : CUBLAS_OP_C;
}
constexpr cublasSideMode_t cublas(Side side) {
    return side == Side::Left ? CUBLAS_SIDE_LEFT : CUBLAS_SIDE_RIGHT;
}
constexpr cublasFillMode_t cublas(Uplo uplo) {
    return uplo == Uplo::Upper ? CUBLAS_FILL_MODE_UPPER : CUBLAS_FILL_MODE_LOWER;
}
constexpr cublasDiagType_t cublas(Diag diag) {
    return diag == Diag::Unit ? CUBLAS_DIAG_UNIT : CUBLAS_DIAG_NON_UNIT;
}

template <class T>
struct LibraryType {
    using type = T;
};
template <>
struct LibraryType<std::complex<float>> {
    using type = cuComplex;
};
template <>
struct LibraryType<std::complex<double>> {
    using type = cuDoubleComplex;
};
/// The same memory under the libraries' name of the type.
template <class T>
auto* library(T* data) {
    using Plain = typename LibraryType<std::remove_const_t<T>>::type;
    return reinterpret_cast<std::conditional_t<std::is_const_v<T>, const Plain, Plain>*>(data);
}

#define SUBSPAN_LIBRARY(T, trsm, herk, orgqr)                               \
    template <>                                                             \
    struct Library<T> {                                                     \
        static constexpr auto solve_triangular = cublas##trsm##_64;         \
        static constexpr auto rank_k_update = cublas##herk##_64;            \
        static constexpr auto form_q = cusolverDn##orgqr;                   \
        static constexpr auto form_q_size = cusolverDn##orgqr##_bufferSize; \
    };
template <class T>
struct Library;
SUBSPAN_LIBRARY(float, Strsm, Ssyrk, Sorgqr)
SUBSPAN_LIBRARY(double, Dtrsm, Dsyrk, Dorgqr)
SUBSPAN_LIBRARY(std::complex<float>, Ctrsm, Cherk, Cungqr)
SUBSPAN_LIBRARY(std::complex<double>, Ztrsm, Zherk, Zungqr)
#undef SUBSPAN_LIBRARY

}  // namespace subspan
