// Vocabulary of the library: 64-bit sizes, column-major views, the BLAS enumerations.
#pragma once

#include <complex>
#include <cstdint>
#include <type_traits>

#if defined(__CUDACC__)
#define SUBSPAN_HD __host__ __device__ __forceinline__
#else
// Forced inline: several translation units compile these for different instruction sets, and an
// out-of-line copy made for one of them must not be linked into another.
#define SUBSPAN_HD inline __attribute__((always_inline))
#endif

namespace subspan {

using index = std::int64_t;

enum class Op : char { None = 'N', Trans = 'T', ConjTrans = 'C' };
enum class Side : char { Left = 'L', Right = 'R' };
enum class Uplo : char { Upper = 'U', Lower = 'L' };
enum class Diag : char { NonUnit = 'N', Unit = 'U' };

template <class T>
struct RealOf {
    using type = T;
};
template <class T>
struct RealOf<std::complex<T>> {
    using type = T;
};
/// float for float and complex<float>, double for double and complex<double>.
template <class T>
using real_t = typename RealOf<std::remove_const_t<T>>::type;

template <class T>
inline constexpr bool is_complex = !std::is_same_v<std::remove_const_t<T>, real_t<T>>;

/// Column-major matrix that somebody else owns; entry (i, j) is data[i + j * ld].
template <class T>
struct MatrixView {
    T* data = nullptr;
    index rows = 0;
    index cols = 0;
    index ld = 0;

    MatrixView() = default;
    SUBSPAN_HD MatrixView(T* data_, index rows_, index cols_, index ld_)
        : data(data_), rows(rows_), cols(cols_), ld(ld_) {}
    MatrixView(T* data_, index rows_, index cols_)
        : MatrixView(data_, rows_, cols_, rows_ > 0 ? rows_ : 1) {}

    SUBSPAN_HD operator MatrixView<const T>() const
        requires(!std::is_const_v<T>)
    {
        return {data, rows, cols, ld};
    }

    SUBSPAN_HD T& operator()(index i, index j) const { return data[i + j * ld]; }
    T* col(index j) const { return data + j * ld; }
    MatrixView block(index i, index j, index r, index c) const {
        return {data + i + j * ld, r, c, ld};
    }
    MatrixView columns(index j, index c) const { return block(0, j, rows, c); }
    MatrixView row_range(index i, index r) const { return block(i, 0, r, cols); }
};

/// Read-only argument; not deduced, so that a mutable view converts (T comes from the output).
template <class T>
using In = MatrixView<const std::type_identity_t<T>>;

}  // namespace subspan
