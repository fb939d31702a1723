// Batches: as many independent problems as there are matrices, side by side in one call.
#include <pybind11/stl.h>

#include "bind/register_select.hpp"
#include "subspan/batch.hpp"

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
        known[i] = svd_of_one<T>(own, {batch.matrix(i), batch.transposed(i)}, options, full,
                                 MatrixView<T>(left.data() + i * m * k, m, k), values + i * k,
                                 MatrixView<T>(right.data() + i * n * k, n, k));
    });
    left.finish();
    right.finish();
}

/// How the columns of every matrix are chosen.
struct Choice {
    std::string method;
    SelectOptions options;
    double variant;
};

/// Columns J and coefficients W of every matrix.
template <class T>
void interp_batch(const py::array_t<T, py::array::c_style>& A, const Choice& choice, int mode,
                  py::array_t<index>& indices, py::array_t<T>& W, py::array_t<double>& facts,
                  const py::object& progress) {
    Executor ex(poll_of(progress));
    const Batch<T> batch(ex, A);
    const index k = choice.options.rank, n = batch.cols;
    require(W.size() == batch.count * k * n && indices.size() == batch.count * k &&
                facts.size() == 3 * batch.count,
            "interp_batch: shapes do not match");
    Output<T> coefficients(ex, W.mutable_data(), W.size());
    auto* J = indices.mutable_data();
    auto* known = reinterpret_cast<Facts*>(facts.mutable_data());
    const Running running;
    for_each_problem(ex, batch.count, [&](Executor& own, index i) {
        const auto source = batch.matrix(i);
        auto skeleton =
            select_by_name<T>(own, source, choice.method, choice.options, choice.variant);
        known[i] = interp_of_one(own, source, skeleton, static_cast<Coefficients>(mode),
                                 MatrixView<T>(coefficients.data() + i * n * k, n, k));
        std::copy_n(skeleton.perm.begin(), k, J + i * k);
    });
    coefficients.finish();
}

/// Q, as its transpose, R and the permutation of every matrix.
template <class T>
void qr_batch(const py::array_t<T, py::array::c_style>& A, const Choice& choice,
              py::array_t<index>& piv, py::array_t<T>& Qt, py::array_t<T>& R,
              py::array_t<double>& facts, const py::object& progress) {
    Executor ex(poll_of(progress));
    const Batch<T> batch(ex, A);
    const SelectOptions& options = choice.options;
    const index k = options.rank, m = batch.rows, n = batch.cols;
    require(Qt.size() == batch.count * k * m && R.size() == batch.count * k * n &&
                piv.size() == batch.count * n && facts.size() == 3 * batch.count,
            "qr_batch: shapes do not match");
    Output<T> left(ex, Qt.mutable_data(), Qt.size()), right(ex, R.mutable_data(), R.size());
    auto* orders = piv.mutable_data();
    auto* known = reinterpret_cast<Facts*>(facts.mutable_data());
    const Running running;
    for_each_problem(ex, batch.count, [&](Executor& own, index i) {
        const auto source = batch.matrix(i);
        const MatrixView<T> Q(left.data() + i * m * k, m, k), Rt(right.data() + i * n * k, n, k);
        std::vector<index> perm;
        if (choice.method == "blocked") {
            auto found = blocked_qr(own, source, options.block, options.sketch, Q, Rt);
            known[i] = {found.norm2, found.residual2, 1};
            perm = std::move(found.perm);
        } else {
            auto skeleton = select_by_name<T>(own, source, choice.method, options, choice.variant);
            known[i] = qr_of_one(own, source, skeleton, options.probe, Q, Rt);
            perm = std::move(skeleton.perm);
        }
        std::copy_n(perm.begin(), n, orders + i * n);
    });
    left.finish();
    right.finish();
}

template <class T>
void register_dtype(py::module_& m) {
    m.def("svd_batch", &svd_batch<T>, py::arg("A").noconvert(), py::kw_only(), py::arg("size"),
          py::arg("power_iterations"), py::arg("full"), py::arg("sketch"), py::arg("probe"),
          py::arg("Ut").noconvert(), py::arg("s").noconvert(), py::arg("Vh").noconvert(),
          py::arg("facts").noconvert(), py::arg("progress"));
    m.def("interp_batch", &interp_batch<T>, py::arg("A").noconvert(), py::arg("choice"),
          py::kw_only(), py::arg("mode"), py::arg("indices").noconvert(), py::arg("W").noconvert(),
          py::arg("facts").noconvert(), py::arg("progress"));
    m.def("qr_batch", &qr_batch<T>, py::arg("A").noconvert(), py::arg("choice"), py::kw_only(),
          py::arg("piv").noconvert(), py::arg("Qt").noconvert(), py::arg("R").noconvert(),
          py::arg("facts").noconvert(), py::arg("progress"));
}

}  // namespace

void register_batch(py::module_& m) {
    py::class_<Choice>(m, "Choice", py::module_local())
        .def(py::init([](const std::string& method, index rank, const SketchOperator& sketch,
                         index pivot_rows, const SketchOperator& probe, std::uint64_t seed,
                         index block, double variant, bool keep_basis) {
                 SelectOptions options;
                 options.rank = rank;
                 options.block = block;
                 options.sketch = sketch;
                 options.pivot_rows = pivot_rows;
                 options.probe = probe;
                 options.sampling.key = RngKey(seed);
                 options.keep_basis = keep_basis;
                 return Choice{method, options, variant};
             }),
             py::arg("method"), py::kw_only(), py::arg("rank"), py::arg("sketch"),
             py::arg("pivot_rows"), py::arg("probe"), py::arg("seed"), py::arg("block"),
             py::arg("variant"), py::arg("keep_basis"));
    register_dtype<float>(m);
    register_dtype<double>(m);
    register_dtype<std::complex<float>>(m);
    register_dtype<std::complex<double>>(m);
}

}  // namespace subspan::bind
