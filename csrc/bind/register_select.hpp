// Column selection and the interpolation matrix, for one dtype.
#pragma once

#include <pybind11/stl.h>

#include "bind/source.hpp"
#include "subspan/cpqr.hpp"
#include "subspan/error.hpp"
#include "subspan/interp.hpp"
#include "subspan/lupp.hpp"
#include "subspan/rbrp.hpp"
#include "subspan/strong_rrqr.hpp"
#include "subspan/subspace_pivots.hpp"

namespace subspan::bind {

/// A selection together with the executor that owns its memory.
template <class T>
struct SkeletonHandle {
    std::shared_ptr<Executor> ex;
    Skeleton<T, Executor> skeleton;
};

/// The method by its public name; `variant` is the one parameter some of them have.
template <class T>
Skeleton<T, Executor> select_by_name(Executor& ex, const AnySource<T>& A, const std::string& method,
                                     const SelectOptions& options, double variant) {
    const auto blockwise = [&](Proposal proposal, bool robust) {
        return select_blockwise<T>(ex, A, options, BlockPivoting{proposal, robust, variant});
    };
    if (method == "lupp") return select_lupp<T>(ex, A, options);
    if (method == "lupp_adaptive") return select_lupp_adaptive<T>(ex, A, options);
    if (method == "sketched_cpqr") return select_sketched_cpqr<T>(ex, A, options);
    if (method == "full_cpqr") return select_full_cpqr<T>(ex, A, options);
    if (method == "rbrp") return blockwise(Proposal::Random, true);
    if (method == "brp") return blockwise(Proposal::Random, false);
    if (method == "greedy") return blockwise(Proposal::Greedy, true);
    if (method == "plain_greedy") return blockwise(Proposal::Greedy, false);
    if (method == "rp") return blockwise(Proposal::Rejection, false);
    if (method == "strong") return select_strong_rrqr<T>(ex, A, options, variant);
    const auto subspace = [&](SubspaceRule rule) {
        return select_from_subspace<T>(ex, A, options, rule);
    };
    if (method == "deim") return subspace(SubspaceRule::Deim);
    if (method == "leverage") return subspace(SubspaceRule::LeverageTop);
    if (method == "leverage_sample") return subspace(SubspaceRule::LeverageSample);
    if (method == "arp") return subspace(SubspaceRule::Arp);
    throw InvalidArgument(message("unknown selection method ", method));
}

template <class T>
SkeletonHandle<T> select(const SourceHandle<T>& handle, const std::string& method, index rank,
                         double tolerance, double relative, index block, bool fixed_block,
                         const SketchOperator& sketch, index pivot_rows,
                         const SketchOperator& probe, std::uint64_t seed, bool want_norms,
                         double variant, bool keep_basis, const py::object& progress) {
    SkeletonHandle<T> result{std::make_shared<Executor>(poll_of(progress)), {}};
    const LoadedSource<T> A(*result.ex, handle);
    SelectOptions options;
    options.rank = rank;
    options.tolerance = tolerance;
    options.relative = relative;
    options.block = block;
    options.fixed_block = fixed_block;
    options.sketch = sketch;
    options.pivot_rows = pivot_rows;
    options.probe = probe;
    options.sampling.key = RngKey(seed);
    options.want_norms = want_norms;
    options.keep_basis = keep_basis;
    const Running running;
    result.skeleton = select_by_name<T>(*result.ex, A.get(), method, options, variant);
    result.ex->sync();
    return result;
}

/// Writes W (rank-by-n, C-ordered) and returns the squared error if it is revealed, else -1.
template <class T>
double coefficients(SkeletonHandle<T>& handle, const SourceHandle<T>& source, int mode,
                    double tolerance, py::array_t<T>& out) {
    Executor& ex = *handle.ex;
    const LoadedSource<T> A(ex, source);
    TransposedOutput<T> W(ex, out);
    const Running running;
    double left = -1;
    switch (static_cast<Coefficients>(mode)) {
        case Coefficients::Factor:
            factor_coefficients(ex, handle.skeleton, W.view());
            break;
        case Coefficients::Osid:
            sketched_coefficients(ex, handle.skeleton, W.view());
            break;
        case Coefficients::Exact:
            left = exact_coefficients(ex, A.get(), handle.skeleton, W.view(), tolerance);
            break;
    }
    W.finish();
    return left;
}

template <class T>
void probe_gram(SkeletonHandle<T>& handle, const py::array_t<T>& W, py::array_t<T>& out) {
    Executor& ex = *handle.ex;
    const Input<T> w(ex, W.data(), W.size());
    const In<T> Wt(w.data(), W.shape(1), W.shape(0));
    TransposedOutput<T> G(ex, out);
    const Running running;
    probe_error_gram(ex, handle.skeleton, Wt, G.view());
    G.finish();
}

template <class T>
void register_select(py::module_& m) {
    using Handle = SkeletonHandle<T>;
    py::class_<Handle>(m, dtype_name<T>("Skeleton").c_str(), py::module_local())
        .def_property_readonly("rank", [](const Handle& h) { return h.skeleton.rank; })
        .def_property_readonly("stop",
                               [](const Handle& h) { return static_cast<int>(h.skeleton.stop); })
        .def_property_readonly("passes", [](const Handle& h) { return h.skeleton.passes; })
        .def_property_readonly("norm2", [](const Handle& h) { return h.skeleton.norm2; })
        .def_property_readonly("sketch_cols",
                               [](const Handle& h) { return h.skeleton.sketch_cols; })
        .def_property_readonly("permutation",
                               [](const Handle& h) {
                                   return py::array_t<index>(
                                       static_cast<py::ssize_t>(h.skeleton.perm.size()),
                                       h.skeleton.perm.data());
                               })
        .def_property_readonly("history",
                               [](const Handle& h) {
                                   py::list rows;
                                   for (const HistoryEntry& e : h.skeleton.history)
                                       rows.append(py::make_tuple(e.rank, e.residual, e.exact,
                                                                  e.accepted, e.proposed));
                                   return rows;
                               })
        .def("coefficients", &coefficients<T>, py::arg("source"), py::arg("mode"),
             py::arg("tolerance"), py::arg("out").noconvert())
        .def("probe_gram", &probe_gram<T>, py::arg("W").noconvert(), py::arg("out").noconvert());
    m.def("select", &select<T>, py::arg("source"), py::arg("method"), py::kw_only(),
          py::arg("rank"), py::arg("tolerance"), py::arg("relative"), py::arg("block"),
          py::arg("fixed_block"), py::arg("sketch"), py::arg("pivot_rows"), py::arg("probe"),
          py::arg("seed"), py::arg("want_norms"), py::arg("variant"), py::arg("keep_basis") = false,
          py::arg("progress"));
}

}  // namespace subspan::bind
