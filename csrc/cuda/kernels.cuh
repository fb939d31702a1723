// Every functor that an algorithm launches, instantiated for one dtype. An algorithm that launches
// another one does not link until it stands here.
#pragma once

#include "cuda/launch.cuh"
#include "subspan/cur.hpp"
#include "subspan/eigenpairs.hpp"
#include "subspan/nystrom.hpp"
#include "subspan/pivoted_cholesky.hpp"
#include "subspan/pivoted_qr.hpp"
#include "subspan/psd_source.hpp"
#include "subspan/qr.hpp"
#include "subspan/rbrp.hpp"
#include "subspan/sketch_kernels.hpp"
#include "subspan/svd.hpp"

#define SUBSPAN_ENTRIES(F) template void for_each_entry(Cuda&, index, index, const F&);
#define SUBSPAN_INDICES(F) template void parallel_for(Cuda&, index, const F&, index);
#define SUBSPAN_BLOCKS(F) template void for_each_block(Cuda&, index, const F&);

#define SUBSPAN_KERNELS(T)                     \
    /* kernels.hpp */                          \
    SUBSPAN_ENTRIES(CopyEntry<T>)              \
    SUBSPAN_ENTRIES(ConjugateEntry<T>)         \
    SUBSPAN_ENTRIES(TransposeEntry<T>)         \
    SUBSPAN_ENTRIES(GatherRowEntry<T>)         \
    SUBSPAN_ENTRIES(GatherColumnEntry<T>)      \
    SUBSPAN_ENTRIES(GatherTransposedEntry<T>)  \
    SUBSPAN_ENTRIES(ScatterColumnEntry<T>)     \
    SUBSPAN_ENTRIES(ScatterRowEntry<T>)        \
    SUBSPAN_ENTRIES(ScatterTransposedEntry<T>) \
    SUBSPAN_ENTRIES(UnitRowEntry<T>)           \
    SUBSPAN_ENTRIES(IdentityEntry<T>)          \
    SUBSPAN_ENTRIES(ZeroEntry<T>)              \
    SUBSPAN_ENTRIES(ScaleEntry<T>)             \
    SUBSPAN_ENTRIES(MirrorUpperEntry<T>)       \
    SUBSPAN_ENTRIES(ScaleRowEntry<T>)          \
    SUBSPAN_ENTRIES(UpperTriangleEntry<T>)     \
    SUBSPAN_ENTRIES(UnitLowerEntry<T>)         \
    SUBSPAN_ENTRIES(LowerTriangleEntry<T>)     \
    SUBSPAN_ENTRIES(SubtractEntry<T>)          \
    SUBSPAN_INDICES(DowndateNorm<T>)           \
    SUBSPAN_INDICES(RowNorm<T>)                \
    SUBSPAN_INDICES(DiagonalSquare<T>)         \
    SUBSPAN_BLOCKS(BlockColumnNorm<T>)         \
    /* algorithms */                           \
    SUBSPAN_ENTRIES(FoldColumnEntry<T>)        \
    SUBSPAN_ENTRIES(ScaleTriangleEntry<T>)     \
    SUBSPAN_ENTRIES(ScaleColumnEntry<T>)       \
    SUBSPAN_ENTRIES(ShiftEntry<T>)             \
    SUBSPAN_ENTRIES(HermitianPartEntry<T>)     \
    SUBSPAN_ENTRIES(DenseBlockEntry<T>)        \
    SUBSPAN_ENTRIES(SparseBlockEntry<T>)       \
    SUBSPAN_INDICES(ColumnPhase<T>)            \
    SUBSPAN_INDICES(PositiveDiagonal<T>)       \
    SUBSPAN_INDICES(SkewNorm<T>)               \
    SUBSPAN_INDICES(ZeroTail<T>)               \
    SUBSPAN_INDICES(DowndateDiagonal<T>)       \
    SUBSPAN_INDICES(TriangleRow<T>)            \
    /* sketches and sparse matrices */         \
    SUBSPAN_ENTRIES(SketchTileEntry<T>)        \
    SUBSPAN_ENTRIES(GatherSketchEntry<T>)      \
    SUBSPAN_ENTRIES(SparseSignAdjointEntry<T>) \
    SUBSPAN_ENTRIES(SignedColumnsEntry<T>)     \
    SUBSPAN_ENTRIES(ButterflyEntry<T>)         \
    SUBSPAN_ENTRIES(SampleRowEntry<T>)         \
    SUBSPAN_ENTRIES(SparseTransposeEntry<T>)   \
    SUBSPAN_ENTRIES(SparseProductEntry<T>)     \
    SUBSPAN_INDICES(SparseSignColumn<T>)       \
    SUBSPAN_INDICES(SparseGatherColumn<T>)     \
    SUBSPAN_INDICES(SparseColumnNorm<T>)       \
    /* pivoted QR */                           \
    SUBSPAN_BLOCKS(StartPivoting<T>)           \
    SUBSPAN_BLOCKS(PivotAndReflect<T>)         \
    SUBSPAN_BLOCKS(ReflectTrailing<T>)         \
    SUBSPAN_BLOCKS(ReflectBasis<T>)
