// CUR decomposition of the columns of a selection.
#include "bind/register_select.hpp"
#include "subspan/cur.hpp"

namespace subspan::bind {
namespace {

/// Writes the factors; returns the rows and the squared error, or -1.
template <class T>
py::tuple factors(SkeletonHandle<T>& handle, const SourceHandle<T>& source,
                  const SourceHandle<T>& transposed, int core, double tolerance, Columns<T>& Qc,
                  Columns<T>& Rc, Columns<T>& M, Columns<T>& Qr, Columns<T>& Rr) {
    require(transposed.rows == source.cols, "cur: shapes do not match");
    Executor& ex = *handle.ex;
    const LoadedSource<T> A(ex, source), At(ex, transposed);
    ColumnsOutput<T> qc(ex, Qc), rc(ex, Rc), m(ex, M), qr(ex, Qr), rr(ex, Rr);
    CurChoice found;
    {
        const Running running;
        found = cur(ex, A.get(), At.get(), handle.skeleton, static_cast<CurCore>(core), tolerance,
                    {qc.view(), rc.view(), m.view(), qr.view(), rr.view()});
        for (auto* output : {&qc, &rc, &m, &qr, &rr}) output->finish();
    }
    const py::array_t<index> rows(static_cast<py::ssize_t>(found.rows.size()), found.rows.data());
    return py::make_tuple(rows, found.error2);
}

template <class T>
void probe_gram_of_cur(SkeletonHandle<T>& handle, const SketchOperator& G, const Columns<T>& Qc,
                       const Columns<T>& M, const Columns<T>& Qr, py::array_t<T>& out) {
    Executor& ex = *handle.ex;
    const Input<T> qc(ex, Qc.data(), Qc.size()), m(ex, M.data(), M.size()),
        qr(ex, Qr.data(), Qr.size());
    const In<T> left(qc.data(), Qc.shape(0), Qc.shape(1)), core(m.data(), M.shape(0), M.shape(1)),
        right(qr.data(), Qr.shape(0), Qr.shape(1));
    TransposedOutput<T> gram_matrix(ex, out);
    const Running running;
    cur_probe_gram(ex, handle.skeleton, G, left, core, right, gram_matrix.view());
    gram_matrix.finish();
}

template <class T>
void register_dtype(py::module_& m) {
    m.def("cur", &factors<T>, py::arg("skeleton"), py::arg("source"), py::arg("transposed"),
          py::arg("core"), py::arg("tolerance"), py::arg("Qc").noconvert(),
          py::arg("Rc").noconvert(), py::arg("M").noconvert(), py::arg("Qr").noconvert(),
          py::arg("Rr").noconvert());
    m.def("cur_probe_gram", &probe_gram_of_cur<T>, py::arg("skeleton"), py::arg("G"),
          py::arg("Qc").noconvert(), py::arg("M").noconvert(), py::arg("Qr").noconvert(),
          py::arg("out").noconvert());
}

}  // namespace

void register_cur(py::module_& m) {
    register_dtype<float>(m);
    register_dtype<double>(m);
    register_dtype<std::complex<float>>(m);
    register_dtype<std::complex<double>>(m);
}

}  // namespace subspan::bind
