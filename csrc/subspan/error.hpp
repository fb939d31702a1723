// Exceptions of the library, by who is at fault: the caller, the numbers, the device.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace subspan {

/// The caller's argument; becomes ValueError in Python.
struct InvalidArgument : std::invalid_argument {
    using std::invalid_argument::invalid_argument;
};

/// Squares of the entries of A overflow, underflow or are not finite; FloatingPointError in Python,
/// which looks for the reason and scales A by a power of two if that helps.
struct OutOfRange : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The mathematics broke down; becomes numpy.linalg.LinAlgError in Python.
struct NumericalError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// No device, no library, no memory on the device; becomes RuntimeError in Python.
struct DeviceError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

template <class... Parts>
std::string message(const Parts&... parts) {
    std::ostringstream text;
    (text << ... << parts);
    return text.str();
}

/// Throws InvalidArgument with the parts joined unless the condition holds.
template <class... Parts>
void require(bool condition, const Parts&... parts) {
    if (!condition) throw InvalidArgument(message(parts...));
}

}  // namespace subspan
