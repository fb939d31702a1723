// Complex numbers in device code.
//
// The arithmetic of std::complex is not for devices: nvcc refuses it and, told to take constexpr
// functions of the standard library, compiles it to nothing without a warning. So a device runs functors
// over std::complex<R> as the same functors over this type, which has its layout; the fake device does
// so, too.
#pragma once

#include <bit>
#include <complex>

#include "subspan/types.hpp"

namespace subspan {

template <class R>
struct DeviceComplex {
    R re, im;

    DeviceComplex() = default;
    SUBSPAN_HD DeviceComplex(R re_, R im_ = R(0)) : re(re_), im(im_) {}
    SUBSPAN_HD R real() const { return re; }
    SUBSPAN_HD R imag() const { return im; }

    SUBSPAN_HD friend bool operator==(DeviceComplex a, DeviceComplex b) {
        return a.re == b.re && a.im == b.im;
    }
    SUBSPAN_HD friend DeviceComplex operator-(DeviceComplex a) { return {-a.re, -a.im}; }
    SUBSPAN_HD friend DeviceComplex operator+(DeviceComplex a, DeviceComplex b) {
        return {a.re + b.re, a.im + b.im};
    }
    SUBSPAN_HD friend DeviceComplex operator-(DeviceComplex a, DeviceComplex b) {
        return {a.re - b.re, a.im - b.im};
    }
    SUBSPAN_HD friend DeviceComplex operator*(DeviceComplex a, DeviceComplex b) {
        return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
    }
    SUBSPAN_HD friend DeviceComplex operator*(DeviceComplex a, R b) { return {a.re * b, a.im * b}; }
    SUBSPAN_HD friend DeviceComplex operator*(R a, DeviceComplex b) { return b * a; }
    SUBSPAN_HD friend DeviceComplex operator/(DeviceComplex a, R b) { return {a.re / b, a.im / b}; }
    SUBSPAN_HD DeviceComplex& operator+=(DeviceComplex b) { return *this = *this + b; }
    SUBSPAN_HD DeviceComplex& operator-=(DeviceComplex b) { return *this = *this - b; }
    SUBSPAN_HD DeviceComplex& operator*=(DeviceComplex b) { return *this = *this * b; }
};
static_assert(sizeof(DeviceComplex<float>) == sizeof(std::complex<float>));
static_assert(alignof(DeviceComplex<double>) == alignof(std::complex<double>));

template <class R>
struct RealOf<DeviceComplex<R>> {
    using type = R;
};

/// A functor as device code sees it.
template <class F>
F device_form(const F& body) {
    return body;
}
template <template <class> class F, class R>
F<DeviceComplex<R>> device_form(const F<std::complex<R>>& body) {
    return std::bit_cast<F<DeviceComplex<R>>>(body);
}

}  // namespace subspan
