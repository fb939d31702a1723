// Pivoted Cholesky of a positive semidefinite matrix: dense, sparse, or an oracle of entries.
#include "bind/source.hpp"
#include "subspan/pivoted_cholesky.hpp"

namespace subspan::bind {
namespace {

/// A factorization together with the executor that owns its memory.
template <class T>
struct CholeskyHandle {
    std::shared_ptr<Executor> ex;
    index n = 0;
    PartialCholesky<T, Executor> result;
};

/// Entries callback: Python writes K[I, J] into the third argument; I is None for every row. The
/// index arrays are copies, which the caller's kernel may keep.
template <class T>
EntryOracle<T> oracle(index n, const py::object& callable) {
    const auto entries = [function = callable.ptr()](const index* I, const index* J,
                                                     MatrixView<T> B) {
        const LentThreads lent;
        py::gil_scoped_acquire gil;
        const auto item = static_cast<py::ssize_t>(sizeof(T));
        const py::capsule owner(B.data, [](void*) {});  // marks the memory as not ours to free
        const py::array_t<T> out({B.rows, B.cols}, {item, B.ld * item}, B.data, owner);
        const py::object rows =
            I != nullptr ? py::object(py::array_t<index>(B.rows, I)) : py::object(py::none());
        py::reinterpret_borrow<py::object>(function)(rows, py::array_t<index>(B.cols, J), out);
    };
    return {n, n, entries};
}

CholeskyOptions cholesky_options(int pivots, index rank, double tolerance, index block,
                                 std::uint64_t seed) {
    CholeskyOptions options;
    options.rank = rank;
    options.tolerance = tolerance;
    options.block = block;
    options.pivots = static_cast<CholeskyPivots>(pivots);
    options.sampling.key = RngKey(seed);
    return options;
}

template <class T, class S>
void factor(CholeskyHandle<T>& handle, const S& K, const std::vector<double>& diagonal,
            const CholeskyOptions& options) {
    require(K.rows == K.cols && K.rows == static_cast<index>(diagonal.size()),
            "K must be square with a diagonal of its size");
    handle.n = K.rows;
    handle.result = pivoted_cholesky<T>(*handle.ex, K, diagonal, options);
    handle.ex->sync();
}

template <class T>
CholeskyHandle<T> of_source(const SourceHandle<T>& source, const py::array_t<double>& diagonal,
                            int pivots, index rank, double tolerance, index block,
                            std::uint64_t seed, const py::object& progress) {
    CholeskyHandle<T> handle{std::make_shared<Executor>(poll_of(progress)), 0, {}};
    const LoadedSource<T> K(*handle.ex, source);
    const std::vector<double> d(diagonal.data(), diagonal.data() + diagonal.size());
    const auto options = cholesky_options(pivots, rank, tolerance, block, seed);
    const Running running;
    std::visit(
        [&](const auto& k) {
            if constexpr (std::is_same_v<std::decay_t<decltype(k)>, OperatorSource<T>>)
                throw InvalidArgument("an operator does not give entries of K");
            else
                factor(handle, k, d, options);
        },
        K.get().is);
    return handle;
}

template <class T>
CholeskyHandle<T> of_oracle(const py::object& entries, const py::array_t<double>& diagonal,
                            int pivots, index rank, double tolerance, index block,
                            std::uint64_t seed, const py::object& progress) {
    CholeskyHandle<T> handle{std::make_shared<Executor>(poll_of(progress)), 0, {}};
    const auto K = oracle<T>(static_cast<index>(diagonal.size()), entries);
    const std::vector<double> d(diagonal.data(), diagonal.data() + diagonal.size());
    const auto options = cholesky_options(pivots, rank, tolerance, block, seed);
    const Running running;
    factor(handle, K, d, options);
    return handle;
}

template <class T>
void copy_factor(CholeskyHandle<T>& handle, py::array_t<T, py::array::f_style>& out) {
    require(out.ndim() == 2 && out.shape(0) == handle.n && out.shape(1) == handle.result.rank,
            "factor: shapes do not match");
    const auto bytes = static_cast<std::size_t>(out.size()) * sizeof(T);
    if (bytes > 0) handle.ex->copy_to_host(out.mutable_data(), handle.result.factor.data(), bytes);
}

template <class T>
void register_dtype(py::module_& m) {
    using Handle = CholeskyHandle<T>;
    py::class_<Handle>(m, dtype_name<T>("Cholesky").c_str(), py::module_local())
        .def_property_readonly("rank", [](const Handle& h) { return h.result.rank; })
        .def_property_readonly("stop",
                               [](const Handle& h) { return static_cast<int>(h.result.stop); })
        .def_property_readonly("entries", [](const Handle& h) { return h.result.entries; })
        .def_property_readonly("pivots",
                               [](const Handle& h) {
                                   return py::array_t<index>(
                                       static_cast<py::ssize_t>(h.result.pivots.size()),
                                       h.result.pivots.data());
                               })
        .def_property_readonly("history",
                               [](const Handle& h) {
                                   py::list rows;
                                   for (const HistoryEntry& e : h.result.history)
                                       rows.append(py::make_tuple(e.rank, e.residual, e.exact,
                                                                  e.accepted, e.proposed));
                                   return rows;
                               })
        .def("factor", &copy_factor<T>, py::arg("out").noconvert());
    m.def("pivoted_cholesky", &of_source<T>, py::arg("source"), py::arg("diagonal"), py::kw_only(),
          py::arg("pivots"), py::arg("rank"), py::arg("tolerance"), py::arg("block"),
          py::arg("seed"), py::arg("progress"));
    m.def(dtype_name<T>("pivoted_cholesky_of_oracle_").c_str(), &of_oracle<T>, py::arg("entries"),
          py::arg("diagonal"), py::kw_only(), py::arg("pivots"), py::arg("rank"),
          py::arg("tolerance"), py::arg("block"), py::arg("seed"), py::arg("progress"));
}

}  // namespace

void register_cholesky(py::module_& m) {
    register_dtype<float>(m);
    register_dtype<double>(m);
    register_dtype<std::complex<float>>(m);
    register_dtype<std::complex<double>>(m);
}

}  // namespace subspan::bind
