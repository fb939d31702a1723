// Eight columns that span a matrix, from C++: A ~ A[:, J] W, and how far off that is.
//
//   interpolative LIBRARY    LIBRARY is a shared library with BLAS and LAPACK, e.g. libopenblas.so.0
#include <cmath>
#include <cstdio>
#include <vector>

#include "host/dense.hpp"
#include "host/lapack_table.hpp"
#include "host/shared_library.hpp"
#include "host/source.hpp"
#include "subspan/interp.hpp"
#include "subspan/lupp.hpp"

using subspan::index;
using subspan::MatrixView;

/// The Hilbert matrix 1 / (1 + i + j), column-major: numerically of low rank.
std::vector<double> hilbert(index m, index n) {
    std::vector<double> A;
    for (index j = 0; j < n; ++j)
        for (index i = 0; i < m; ++i) A.push_back(1.0 / static_cast<double>(1 + i + j));
    return A;
}

double norm(const std::vector<double>& A) {
    double squares = 0;
    for (const double x : A) squares += x * x;
    return std::sqrt(squares);
}

int main(int argc, char** argv) {
    void* library = argc == 2 ? subspan::open_library(argv[1], true) : nullptr;
    if (library == nullptr || !subspan::lapack_table().load_library(library, argv[1])) {
        std::fprintf(stderr, "usage: interpolative LIBRARY, one with BLAS and LAPACK\n");
        return 2;
    }
    const index m = 300, n = 200, k = 8;
    std::vector<double> entries = hilbert(m, n);
    const subspan::DenseSource<double> A{entries.data(), m, n, m};

    // J: LU with partial pivoting of a Gaussian sketch, of which k rows choose the pivots.
    subspan::Host ex;
    subspan::SelectOptions options;
    options.rank = options.pivot_rows = k;
    options.sketch.kind = subspan::SketchKind::Gaussian;
    options.sketch.size = 2 * k;
    options.sketch.dim = m;
    options.sketch.id.key = subspan::RngKey(7);
    const auto skeleton = subspan::select_lupp<double>(ex, A, options);
    std::printf("columns:");
    for (const index j : skeleton.pivots()) std::printf(" %lld", static_cast<long long>(j));

    // W: least squares on all 2 k rows of the sketch; no second reading of A.
    std::vector<double> transposed(static_cast<std::size_t>(n * skeleton.rank));
    const MatrixView<double> Wt(transposed.data(), n, skeleton.rank);
    subspan::sketched_coefficients(ex, skeleton, Wt);

    const double before = norm(entries);
    std::vector<double> chosen(static_cast<std::size_t>(m * skeleton.rank));
    const MatrixView<double> C(chosen.data(), m, skeleton.rank);
    subspan::gather_columns(ex, A, skeleton.perm.data(), C);
    const MatrixView<double> residual(entries.data(), m, n);  // A - C W, in the place of A
    subspan::gemm<double>(ex, subspan::Op::None, subspan::Op::Trans, -1.0, C, Wt, 1.0, residual);
    std::printf("\nrelative error: %.3e\n", norm(entries) / before);
}
