#include "cuda/kernels.cuh"

namespace subspan {

SUBSPAN_INDICES(RecordFailure)
SUBSPAN_INDICES(WidenInfo)
SUBSPAN_INDICES(ZeroBasedPivot)
SUBSPAN_INDICES(ZeroNorm)
SUBSPAN_KERNELS(float)
SUBSPAN_KERNELS(double)

}  // namespace subspan
