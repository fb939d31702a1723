// The nonzeros of a sparse-sign operator, column by column.
#pragma once

#include <algorithm>
#include <vector>

#include "subspan/sketch_operator.hpp"
#include "subspan/types.hpp"

namespace subspan {

/// Nonzeros of columns [p0, p0 + count): entry r * nnz + g is the one of column p0 + r in group g.
inline std::vector<SignedRow> sparse_sign_columns(const SketchOperator& S, index p0, index count) {
    const auto nnz = static_cast<std::uint32_t>(S.nnz);
    std::vector<SignedRow> nonzeros(static_cast<std::size_t>(count * S.nnz));
    p0 += S.first;
    for (std::uint32_t g = 0; g < nnz; ++g) {
        const RowGroup group = row_group(static_cast<std::uint64_t>(S.size), nnz, g);
        for (index p = p0; p < p0 + count;) {  // a random block serves four columns
            const Words4 x =
                words_at(S.id, Stream::SparseSign, g, static_cast<std::uint64_t>(p) / 4);
            for (const index end = std::min(p0 + count, (p / 4 + 1) * 4); p < end; ++p)
                nonzeros[static_cast<std::size_t>((p - p0) * S.nnz) + g] =
                    sparse_sign_nonzero(x.w[p % 4], group);
        }
    }
    return nonzeros;
}

}  // namespace subspan
