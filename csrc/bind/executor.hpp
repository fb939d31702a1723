// Which executor this module is compiled for, and how its memory meets a numpy array.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <functional>
#include <memory>

#include "host/lapack_table.hpp"
#include "subspan/error.hpp"

#if defined(SUBSPAN_BIND_FAKE)
#include "fake/dense.hpp"
#elif defined(SUBSPAN_BIND_CUDA)
#include "cuda/dense.hpp"
#include "subspan/plain_source.hpp"
#else
#include "host/dense.hpp"
#include "host/source.hpp"
#endif

namespace subspan::bind {

namespace py = pybind11;

#if defined(SUBSPAN_BIND_FAKE)
using Executor = Fake;
inline constexpr bool shares_host_memory = false;
#elif defined(SUBSPAN_BIND_CUDA)
using Executor = Cuda;
inline constexpr bool shares_host_memory = false;
#else
using Executor = Host;
inline constexpr bool shares_host_memory = true;
#endif

/// The length of a native call: the interpreter lock dropped, the BLAS library on our own threads.
struct Running {
    py::gil_scoped_release nogil;
    OwnThreads own;
};

/// Runs pending signal handlers (Ctrl-C) and the caller's progress callback, which lives as long as
/// the executor that polls it.
inline std::function<void()> poll_of(const py::object& progress) {
    const auto release = [](py::object* held) {
        const py::gil_scoped_acquire gil;
        delete held;
    };
    const std::shared_ptr<py::object> callback(new py::object(progress), release);
    return [callback] {
        py::gil_scoped_acquire gil;
        if (PyErr_CheckSignals() != 0) throw py::error_already_set();
        if (!callback->is_none()) (*callback)();
    };
}

/// Read-only array memory on the executor: the array itself, or a copy on the device.
template <class T>
class Input {
  public:
    Input(Executor& ex, const T* host, index count) : data_(host) {
        if constexpr (!shares_host_memory) {
            copy_ = Buffer<T, Executor>(ex, count);
            if (count > 0)
                ex.copy_to_device(copy_.data(), host, static_cast<std::size_t>(count) * sizeof(T));
            data_ = copy_.data();
        }
    }
    const T* data() const { return data_; }

  private:
    const T* data_;
    Buffer<T, Executor> copy_;
};

/// Result memory on the executor; finish() brings it to the array.
template <class T>
class Output {
  public:
    Output(Executor& ex, T* host, index count) : ex_(ex), host_(host), data_(host), count_(count) {
        if constexpr (!shares_host_memory) {
            copy_ = Buffer<T, Executor>(ex, count);
            data_ = copy_.data();
        }
    }
    T* data() const { return data_; }
    void finish() {
        ex_.sync();
        if constexpr (!shares_host_memory)
            if (count_ > 0)
                ex_.copy_to_host(host_, data_, static_cast<std::size_t>(count_) * sizeof(T));
    }

  private:
    Executor& ex_;
    T *host_, *data_;
    index count_;
    Buffer<T, Executor> copy_;
};

/// A C-ordered (rows, cols) result, seen as the column-major cols-by-rows matrix in its memory.
template <class T>
class TransposedOutput {
  public:
    TransposedOutput(Executor& ex, py::array_t<T>& array)
        : output_(ex, array.mutable_data(), array.size()),
          rows_(array.shape(1)),
          cols_(array.shape(0)) {
        require((array.flags() & py::array::c_style) != 0, "result array must be C-ordered");
    }
    MatrixView<T> view() const { return {output_.data(), rows_, cols_}; }
    void finish() { output_.finish(); }

  private:
    Output<T> output_;
    index rows_, cols_;
};

template <class T>
using Columns = py::array_t<T, py::array::f_style>;

/// An F-ordered array on the executor, for writing.
template <class T>
class ColumnsOutput {
  public:
    ColumnsOutput(Executor& ex, Columns<T>& array)
        : output_(ex, array.mutable_data(), array.size()),
          view_(output_.data(), array.shape(0), array.shape(1)) {}
    MatrixView<T> view() const { return view_; }
    void finish() { output_.finish(); }

  private:
    Output<T> output_;
    MatrixView<T> view_;
};

}  // namespace subspan::bind
