#include "host/isa.hpp"

#include <cstdlib>
#include <cstring>

#include "subspan/error.hpp"

namespace subspan {

#define SUBSPAN_DECLARE_ISA(name)                   \
    namespace name {                                \
    extern const IsaKernels<float> kernels_float;   \
    extern const IsaKernels<double> kernels_double; \
    extern const RngKernels kernels_rng;            \
    extern const ColumnKernels kernels_columns;     \
    }
SUBSPAN_DECLARE_ISA(baseline)
#if defined(SUBSPAN_X86)
SUBSPAN_DECLARE_ISA(avx2)
SUBSPAN_DECLARE_ISA(avx512)
#endif
#undef SUBSPAN_DECLARE_ISA

namespace {

struct Build {
    const char* name;
    bool usable;
    const IsaKernels<float>* kernels_float;
    const IsaKernels<double>* kernels_double;
    const RngKernels* rng;
    const ColumnKernels* columns;
};

/// The widest build this processor runs, or the one that SUBSPAN_ISA names.
Build choose() {
    const Build builds[] = {
#if defined(SUBSPAN_X86)
        {"avx512",
         __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("fma"),
         &avx512::kernels_float, &avx512::kernels_double, &avx512::kernels_rng,
         &avx512::kernels_columns},
        {"avx2", __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"),
         &avx2::kernels_float, &avx2::kernels_double, &avx2::kernels_rng, &avx2::kernels_columns},
#endif
        {"baseline", true, &baseline::kernels_float, &baseline::kernels_double,
         &baseline::kernels_rng, &baseline::kernels_columns},
    };
    const char* asked = std::getenv("SUBSPAN_ISA");
    for (const Build& build : builds) {
        if (asked != nullptr && *asked != '\0' && std::strcmp(asked, build.name) != 0) continue;
        if (build.usable) return build;
    }
    throw InvalidArgument(message("SUBSPAN_ISA=", asked,
                                  " is not available here; expected avx512, avx2 or baseline"));
}

const Build& chosen() {
    static const Build build = choose();
    return build;
}

}  // namespace

template <>
const IsaKernels<float>& isa_kernels<float>() {
    return *chosen().kernels_float;
}
template <>
const IsaKernels<double>& isa_kernels<double>() {
    return *chosen().kernels_double;
}
const RngKernels& rng_kernels() {
    return *chosen().rng;
}
const ColumnKernels& column_kernels() {
    return *chosen().columns;
}
const char* isa_name() {
    return chosen().name;
}

}  // namespace subspan
