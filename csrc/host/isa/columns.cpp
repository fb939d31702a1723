// Loops over the columns of a small square matrix that stays in the second-level cache; built once per
// instruction set, contraction off, so that every build writes the same bits.
#include "host/isa.hpp"

namespace subspan::SUBSPAN_ISA {
namespace {

void multiply(const double* T, index p, const double* a, double* image) {
    for (index r = 0; r < p; ++r) image[r] = 0;
    index c = 0;
    for (; c + 4 <= p; c += 4) {  // four columns for each load and store of the image
        const double *t0 = T + c * p, *t1 = t0 + p, *t2 = t1 + p, *t3 = t2 + p;
        const double a0 = a[c], a1 = a[c + 1], a2 = a[c + 2], a3 = a[c + 3];
        for (index r = 0; r < p; ++r)
            image[r] += (a0 * t0[r] + a1 * t1[r]) + (a2 * t2[r] + a3 * t3[r]);
    }
    for (; c < p; ++c)
        for (index r = 0; r < p; ++r) image[r] += a[c] * T[c * p + r];
}

void eliminate(double* T, index p, const double* w, index pivot, double scale) {
    for (index c = 0; c < p; ++c) {
        double* t = T + c * p;
        const double factor = t[pivot] * scale;
        if (factor == 0) continue;
        for (index r = 0; r < p; ++r) t[r] -= factor * w[r];
        t[pivot] = factor;
    }
}

}  // namespace

extern const ColumnKernels kernels_columns;
const ColumnKernels kernels_columns{multiply, eliminate};

}  // namespace subspan::SUBSPAN_ISA
