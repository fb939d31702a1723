#include "host/isa.hpp"

#include <cstdint>
#include <cstdlib>
#include <cstring>

#if defined(SUBSPAN_X86)
#include <cpuid.h>
#endif

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

#if defined(SUBSPAN_X86)
// By hand, since the compilers' own test needs a run-time library that Windows does not have.

/// Whether cpuid sets the bits; the registers are counted eax, ebx, ecx, edx.
bool cpuid_has(unsigned leaf, int reg, unsigned bits) {
    unsigned regs[4] = {};
    return __get_cpuid_count(leaf, 0, &regs[0], &regs[1], &regs[2], &regs[3]) != 0 &&
           (regs[reg] & bits) == bits;
}

/// Whether the system saves the registers (extended control register 0); asked after OSXSAVE.
bool system_saves(std::uint32_t states) {
    std::uint32_t low = 0, high = 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & states) == states;
}

bool runs_avx2() {
    constexpr unsigned fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28, avx2 = 1u << 5;
    return cpuid_has(1, 2, fma | osxsave | avx) && system_saves(0x6) && cpuid_has(7, 1, avx2);
}

bool runs_avx512() {
    constexpr unsigned f = 1u << 16, dq = 1u << 17, bw = 1u << 30, vl = 1u << 31;
    return runs_avx2() && system_saves(0xe6) && cpuid_has(7, 1, f | dq | bw | vl);
}
#endif

/// The widest build this processor runs, or the one that SUBSPAN_ISA names.
Build choose() {
    const Build builds[] = {
#if defined(SUBSPAN_X86)
        {"avx512", runs_avx512(), &avx512::kernels_float, &avx512::kernels_double,
         &avx512::kernels_rng, &avx512::kernels_columns},
        {"avx2", runs_avx2(), &avx2::kernels_float, &avx2::kernels_double, &avx2::kernels_rng,
         &avx2::kernels_columns},
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
