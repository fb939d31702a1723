// Column-pivoted QR: from the columns of a selection, or blocked on a copy of A.
#include "bind/register_select.hpp"
#include "subspan/blocked_qr.hpp"
#include "subspan/qr.hpp"

namespace subspan::bind {
namespace {

/// Writes Q (m-by-rank, F-ordered) and R (rank-by-n, C-ordered); returns the squared error or -1.
template <class T>
double qr_of_skeleton(SkeletonHandle<T>& handle, const SourceHandle<T>& source, double tolerance,
                      Columns<T>& Q, py::array_t<T>& R) {
    Executor& ex = *handle.ex;
    const LoadedSource<T> A(ex, source);
    ColumnsOutput<T> q(ex, Q);
    TransposedOutput<T> rt(ex, R);
    const Running running;
    const double left = truncated_qr(ex, A.get(), handle.skeleton, tolerance, q.view(), rt.view());
    q.finish();
    rt.finish();
    return left;
}

template <class T>
void probe_gram_of_qr(SkeletonHandle<T>& handle, const SketchOperator& G, const Columns<T>& Q,
                      const py::array_t<T>& R, py::array_t<T>& out) {
    Executor& ex = *handle.ex;
    const Input<T> q(ex, Q.data(), Q.size()), r(ex, R.data(), R.size());
    const In<T> view(q.data(), Q.shape(0), Q.shape(1)), Rt(r.data(), R.shape(1), R.shape(0));
    TransposedOutput<T> gram_matrix(ex, out);
    const Running running;
    qr_probe_gram(ex, handle.skeleton, G, view, Rt, gram_matrix.view());
    gram_matrix.finish();
}

/// Returns the permutation, the squared error and ||A||_F^2.
template <class T>
py::tuple blocked(const SourceHandle<T>& source, index block, const SketchOperator& G,
                  Columns<T>& Q, py::array_t<T>& R, const py::object& progress) {
    Executor ex(poll_of(progress));
    const LoadedSource<T> A(ex, source);
    ColumnsOutput<T> q(ex, Q);
    TransposedOutput<T> rt(ex, R);
    BlockedQr found;
    {
        const Running running;
        found = blocked_qr(ex, A.get(), block, G, q.view(), rt.view());
        q.finish();
        rt.finish();
    }
    const py::array_t<index> perm(static_cast<py::ssize_t>(found.perm.size()), found.perm.data());
    return py::make_tuple(perm, found.residual2, found.norm2);
}

template <class T>
void register_dtype(py::module_& m) {
    m.def("truncated_qr", &qr_of_skeleton<T>, py::arg("skeleton"), py::arg("source"),
          py::arg("tolerance"), py::arg("Q").noconvert(), py::arg("R").noconvert());
    m.def("qr_probe_gram", &probe_gram_of_qr<T>, py::arg("skeleton"), py::arg("G"),
          py::arg("Q").noconvert(), py::arg("R").noconvert(), py::arg("out").noconvert());
    m.def("blocked_qr", &blocked<T>, py::arg("source"), py::arg("block"), py::arg("G"),
          py::arg("Q").noconvert(), py::arg("R").noconvert(), py::arg("progress"));
}

}  // namespace

void register_qr(py::module_& m) {
    register_dtype<float>(m);
    register_dtype<double>(m);
    register_dtype<std::complex<float>>(m);
    register_dtype<std::complex<double>>(m);
}

}  // namespace subspan::bind
