// Batches: as many independent problems as there are matrices, side by side in one call.
#include <pybind11/stl.h>

#include "bind/register_select.hpp"
#include "subspan/svd.hpp"

namespace subspan::bind {
namespace {

/// (count, rows, cols) in C order, on the executor.
template <class T>
class Batch {
  public:
    Batch(Executor& ex, const py::array_t<T, py::array::c_style>& array)
        : memory_(ex, array.data(), array.size()),
          count(array.shape(0)),
          rows(array.shape(1)),
          cols(array.shape(2)) {}
    AnySource<T> matrix(index i) const {
        return AnySource<T>(
            DenseSource<T>{memory_.data() + i * rows * cols, rows, cols, cols, true});
    }
    AnySource<T> transposed(index i) const {
        return AnySource<T>(
            DenseSource<T>{memory_.data() + i * rows * cols, cols, rows, cols, false});
    }

  private:
    Input<T> memory_;

  public:
    const index count, rows, cols;
};

/// What is known about one error: ||A||_F^2, the squared error, and 1 if that is exact, 0 if it comes
/// from the probe.
struct Facts {
    double norm2 = 0, error2 = 0, exact = 0;
};

template <class E, class T>
double trace(E& ex, MatrixView<T> G) {
    double total = 0;
    for (const double d : abs_diagonal(ex, G)) total += d;
    return total;
}

template <class T>
void svd_batch(const py::array_t<T, py::array::c_style>& A, index size, int power_iterations,
               bool full, const SketchOperator& sketch, const SketchOperator& probe,
               py::array_t<T>& Ut, py::array_t<real_t<T>>& s, py::array_t<T>& Vh,
               py::array_t<double>& facts, const py::object& progress) {
    Executor ex(poll_of(progress));
    const Batch<T> batch(ex, A);
    const index k = s.shape(1), m = batch.rows, n = batch.cols;
    require(Ut.size() == batch.count * k * m && Vh.size() == batch.count * k * n &&
                s.shape(0) == batch.count && facts.size() == 3 * batch.count,
            "svd_batch: shapes do not match");
    Output<T> left(ex, Ut.mutable_data(), Ut.size()), right(ex, Vh.mutable_data(), Vh.size());
    auto* values = s.mutable_data();
    auto* known = reinterpret_cast<Facts*>(facts.mutable_data());
    RangeOptions options;
    options.size = size;
    options.power_iterations = power_iterations;
    options.project = true;
    options.sketch = sketch;
    options.probe = probe;
    const Running running;
    for_each_problem(ex, batch.count, [&](Executor& own, index i) {
        const BothWays<T> both{batch.matrix(i), batch.transposed(i)};
        const auto range = full ? factor_whole<T>(own, both) : find_range<T>(own, both, options);
        const auto small = svd_of_projection<T>(own, range.Bt());
        singular_vectors(own, range.Q(), range.Bt(), small, range.of_transpose,
                         MatrixView<T>(left.data() + i * m * k, m, k),
                         MatrixView<T>(right.data() + i * n * k, n, k));
        const auto all = fetch(own, small.s.data(), small.size);
        std::copy_n(all.begin(), k, values + i * k);
        Facts& fact = known[i];
        fact.norm2 = range.norm2;
        fact.exact = range.residual2 >= 0 ? 1 : 0;
        fact.error2 = range.residual2;
        if (range.residual2 < 0) {
            const auto P = range.probe_matrix();
            project_out(own, range.Q(), P);
            fact.error2 = energy<T>(own, P);
        }
        for (std::size_t j = static_cast<std::size_t>(k); j < all.size(); ++j)
            fact.error2 += static_cast<double>(all[j]) * static_cast<double>(all[j]);
    });
    left.finish();
    right.finish();
}

/// Columns J and coefficients W of every matrix. Where fewer than k columns are independent, the next
/// ones of the permutation fill up: their coefficients are unit vectors.
template <class T>
void interp_batch(const py::array_t<T, py::array::c_style>& A, const std::string& method,
                  const SelectOptions& options, int mode, double variant,
                  py::array_t<index>& indices, py::array_t<T>& W, py::array_t<double>& facts,
                  const py::object& progress) {
    Executor ex(poll_of(progress));
    const Batch<T> batch(ex, A);
    const index k = options.rank, n = batch.cols;
    require(W.size() == batch.count * k * n && indices.size() == batch.count * k &&
                facts.size() == 3 * batch.count,
            "interp_batch: shapes do not match");
    Output<T> coefficients(ex, W.mutable_data(), W.size());
    auto* J = indices.mutable_data();
    auto* known = reinterpret_cast<Facts*>(facts.mutable_data());
    const Running running;
    for_each_problem(ex, batch.count, [&](Executor& own, index i) {
        const auto source = batch.matrix(i);
        auto skeleton = select_by_name<T>(own, source, method, options, variant);
        const MatrixView<T> Wt(coefficients.data() + i * n * k, n, k);
        const index rank = skeleton.rank;
        double error2 = -1;
        switch (static_cast<Coefficients>(mode)) {
            case Coefficients::Factor:
                factor_coefficients(own, skeleton, Wt.columns(0, rank));
                if (!skeleton.history.empty() && skeleton.history.back().exact)
                    error2 = skeleton.history.back().residual * skeleton.history.back().residual;
                break;
            case Coefficients::Osid:
                sketched_coefficients(own, skeleton, Wt.columns(0, rank));
                break;
            case Coefficients::Exact:
                error2 = exact_coefficients(own, source, skeleton, Wt.columns(0, rank), 0.0);
                break;
        }
        Facts& fact = known[i];
        fact.norm2 = skeleton.norm2;
        fact.exact = error2 >= 0 ? 1 : 0;
        fact.error2 = error2;
        if (error2 < 0) {
            Buffer<T, Executor> gram_matrix(own, skeleton.probes * skeleton.probes);
            const auto G = gram_matrix.matrix(skeleton.probes, skeleton.probes);
            probe_error_gram<T>(own, skeleton, Wt.columns(0, rank), G);
            fact.error2 = trace(own, G);
        }
        const auto order = upload<index>(own, skeleton.perm);
        for_each_entry(own, n, k - rank, ZeroEntry<T>{Wt.columns(rank, k - rank)});
        for_each_entry(own, k, k, UnitRowEntry<T>{Wt, order.data()});
        std::copy_n(skeleton.perm.begin(), k, J + i * k);
    });
    coefficients.finish();
}

template <class T>
void register_dtype(py::module_& m) {
    m.def("svd_batch", &svd_batch<T>, py::arg("A").noconvert(), py::kw_only(), py::arg("size"),
          py::arg("power_iterations"), py::arg("full"), py::arg("sketch"), py::arg("probe"),
          py::arg("Ut").noconvert(), py::arg("s").noconvert(), py::arg("Vh").noconvert(),
          py::arg("facts").noconvert(), py::arg("progress"));
    m.def(
        "interp_batch",
        [](const py::array_t<T, py::array::c_style>& A, const std::string& method, index rank,
           const SketchOperator& sketch, index pivot_rows, const SketchOperator& probe,
           std::uint64_t seed, index block, double variant, int mode, py::array_t<index>& indices,
           py::array_t<T>& W, py::array_t<double>& facts, const py::object& progress) {
            SelectOptions options;
            options.rank = rank;
            options.block = block;
            options.sketch = sketch;
            options.pivot_rows = pivot_rows;
            options.probe = probe;
            options.sampling.key = RngKey(seed);
            interp_batch<T>(A, method, options, mode, variant, indices, W, facts, progress);
        },
        py::arg("A").noconvert(), py::arg("method"), py::kw_only(), py::arg("rank"),
        py::arg("sketch"), py::arg("pivot_rows"), py::arg("probe"), py::arg("seed"),
        py::arg("block"), py::arg("variant"), py::arg("mode"), py::arg("indices").noconvert(),
        py::arg("W").noconvert(), py::arg("facts").noconvert(), py::arg("progress"));
}

}  // namespace

void register_batch(py::module_& m) {
    register_dtype<float>(m);
    register_dtype<double>(m);
    register_dtype<std::complex<float>>(m);
    register_dtype<std::complex<double>>(m);
}

}  // namespace subspan::bind
