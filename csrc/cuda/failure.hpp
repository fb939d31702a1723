// Status words of cuSOLVER, which stay on the device until somebody waits.
#pragma once

#include "subspan/types.hpp"

namespace subspan {

enum class SolverRoutine : int { None, Getrf, Potrf, Geqrf, Orgqr, Gesvd, Syevd };

/// The first failure that nobody has been told of; in pinned memory, written by the device.
struct Failure {
    SolverRoutine routine;
    int info;  // as LAPACK has it
};

/// Records the status of a routine: an illegal argument, and what a positive one means if that is an
/// error too.
struct RecordFailure {
    const int* info;
    bool positive_too;
    SolverRoutine routine;
    Failure* record;
    SUBSPAN_HD void operator()(index) const {
        const bool failed = *info < 0 || (positive_too && *info > 0);
        if (failed && record->routine == SolverRoutine::None) *record = {routine, *info};
    }
};

/// The 64-bit status that the verbs have.
struct WidenInfo {
    const int* from;
    index* to;
    SUBSPAN_HD void operator()(index) const { *to = *from > 0 ? *from : 0; }
};

/// Row exchanges count from one in LAPACK.
struct ZeroBasedPivot {
    index* transpositions;
    SUBSPAN_HD void operator()(index j) const { --transpositions[j]; }
};

}  // namespace subspan
