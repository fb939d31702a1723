#include "cuda/kernels.cuh"

namespace subspan {

SUBSPAN_KERNELS(std::complex<float>)
SUBSPAN_KERNELS(std::complex<double>)

}  // namespace subspan
