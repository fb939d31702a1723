// The nonzeros of a sparse-sign operator, column by column.
#pragma once

#include <vector>

#include "host/isa.hpp"
#include "subspan/sketch_operator.hpp"
#include "subspan/types.hpp"

namespace subspan {

/// Nonzeros of columns [p0, p0 + count): entry r * nnz + g is the one of column p0 + r in group g.
inline std::vector<SignedRow> sparse_sign_columns(const SketchOperator& S, index p0, index count) {
    std::vector<SignedRow> nonzeros(static_cast<std::size_t>(count * S.nnz));
    rng_kernels().fill_nonzeros(S, p0 + S.first, count, nonzeros.data());
    return nonzeros;
}

}  // namespace subspan
