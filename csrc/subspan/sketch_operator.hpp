// Sketch operators S (size-by-dim) as pure functions: entry (i, p) depends on (seed, i, p) alone.
//
// All are scaled so that E[S^T S] = I. Row counts and positions are global, so any tile of S can be
// made anywhere. Definitions: Gaussian and Rademacher (Johnson-Lindenstrauss); sparse sign in the
// block construction of Nelson and Nguyen (FOCS 2013): the rows are cut into `nnz` groups and every
// column has one +-1 in each; CountSketch is nnz = 1; SRHT = sqrt(1/size) R H D (Tropp 2011).
#pragma once

#include <cmath>

#include "subspan/philox.hpp"
#include "subspan/types.hpp"

namespace subspan {

enum class SketchKind : int { Gaussian = 0, Rademacher = 1, SparseSign = 2, Hadamard = 3 };

struct SketchOperator {
    SketchKind kind = SketchKind::Gaussian;
    index size = 0;  // rows of S
    index dim = 0;   // columns of S: the dimension that is compressed
    int nnz = 8;     // nonzeros per column (sparse sign only)
    StreamId id;
    index first = 0;  // column of the whole operator that is column 0 here

    /// Columns [from, from + count) as an operator of their own; not for Hadamard, whose transform
    /// depends on dim.
    SketchOperator columns(index from, index count) const {
        SketchOperator part = *this;
        part.first = first + from;
        part.dim = count;
        return part;
    }

    /// The scalar that turns the +-1 / N(0,1) entries into an operator with E[S^T S] = I.
    double isometry_scale() const {
        return 1.0 / std::sqrt(static_cast<double>(kind == SketchKind::SparseSign ? nnz : size));
    }
};

/// A nonzero of a column of a sparse-sign operator.
struct SignedRow {
    std::uint32_t code;  // 2 row + (1 if negative)

    SUBSPAN_HD std::uint32_t row() const { return code >> 1; }
    SUBSPAN_HD bool negative() const { return (code & 1u) != 0; }
};

/// The rows of a sparse-sign operator that nonzero g of every column may be in.
struct RowGroup {
    std::uint32_t first, count;
};
SUBSPAN_HD RowGroup row_group(std::uint64_t size, std::uint32_t nnz, std::uint32_t g) {
    const auto first = static_cast<std::uint32_t>(size * g / nnz);
    return {first, static_cast<std::uint32_t>(size * (g + 1) / nnz) - first};
}

/// The nonzero of a column in one group of rows, from its random word.
SUBSPAN_HD SignedRow sparse_sign_nonzero(std::uint32_t word, const RowGroup& group) {
    // The top bits choose the row; the lowest bit, which they do not use, chooses the sign.
    return {(group.first + below(word, group.count)) << 1 | (word & 1u)};
}

/// The 128 sign bits of a 16-row by 256-column Rademacher tile that lane (0..31) holds, laid out as
/// the A fragment of a 16x16 tensor-core step: rows {g, g + 8}, columns {2t, 2t+1, 2t+8, 2t+9} of
/// each of 16 steps, g = lane / 4, t = lane % 4.
SUBSPAN_HD Words4 rademacher_words(const StreamId& id, std::uint64_t i_tile, std::uint64_t p_tile,
                                   std::uint32_t lane) {
    return words_at(id, Stream::Rademacher, i_tile, p_tile, lane);
}

/// Where the sign of entry (i, p) sits inside its tile: lane, and bit 0..127 of that lane's words.
struct RademacherBit {
    std::uint32_t lane, bit;
};
SUBSPAN_HD constexpr RademacherBit rademacher_bit(std::uint64_t i, std::uint64_t p) {
    const auto row = static_cast<std::uint32_t>(i & 15u), col = static_cast<std::uint32_t>(p & 15u);
    const auto step = static_cast<std::uint32_t>((p >> 4) & 15u);
    const std::uint32_t within = (col & 1u) | (row >> 3) << 1 | (col >> 3) << 2;
    return {(row & 7u) << 2 | ((col & 7u) >> 1), step * 8u + within};
}
SUBSPAN_HD float rademacher_entry(const StreamId& id, std::uint64_t i, std::uint64_t p) {
    const RademacherBit at = rademacher_bit(i, p);
    const Words4 x = rademacher_words(id, i >> 4, p >> 8, at.lane);
    return (x.w[at.bit >> 5] >> (at.bit & 31u)) & 1u ? -1.0f : 1.0f;
}

/// Unscaled Gaussian entry: the same float for every working precision.
SUBSPAN_HD float gaussian_entry(const StreamId& id, std::uint64_t i, std::uint64_t p) {
    return normals_at(id, i, p >> 2).z[p & 3u];
}

/// Random sign D_p of the Hadamard sketch, 128 per call.
SUBSPAN_HD float hadamard_sign(const StreamId& id, std::uint64_t p) {
    const Words4 x = words_at(id, Stream::HadamardSign, 0, p >> 7);
    return (x.w[(p >> 5) & 3u] >> (p & 31u)) & 1u ? -1.0f : 1.0f;
}

/// Order of the Walsh-Hadamard transform: the next power of two; the data are padded with zeros.
SUBSPAN_HD std::uint64_t hadamard_order(std::uint64_t dim) {
    return dim < 2 ? 1 : std::uint64_t{1} << detail::bit_width(dim - 1);
}

/// Unscaled entry (i, p) of any operator.
SUBSPAN_HD float sketch_entry(const SketchOperator& S, std::uint64_t i, std::uint64_t p) {
    p += static_cast<std::uint64_t>(S.first);
    switch (S.kind) {
        case SketchKind::Gaussian:
            return gaussian_entry(S.id, i, p);
        case SketchKind::Rademacher:
            return rademacher_entry(S.id, i, p);
        case SketchKind::SparseSign: {
            const auto nnz = static_cast<std::uint32_t>(S.nnz);
            const auto size = static_cast<std::uint64_t>(S.size);
            // The group whose rows contain i: the largest g with floor(size g / nnz) <= i.
            const auto group = static_cast<std::uint32_t>(((i + 1) * nnz - 1) / size);
            const Words4 x = words_at(S.id, Stream::SparseSign, group, p >> 2);
            const SignedRow s = sparse_sign_nonzero(x.w[p & 3u], row_group(size, nnz, group));
            return s.row() == i ? (s.negative() ? -1.0f : 1.0f) : 0.0f;
        }
        case SketchKind::Hadamard: {
            const std::uint64_t r =
                permuted(S.id, hadamard_order(static_cast<std::uint64_t>(S.dim)), i);
            const float sign = hadamard_sign(S.id, p);
            return detail::popcount(r & p) & 1 ? -sign : sign;
        }
    }
    return 0.0f;
}

}  // namespace subspan
