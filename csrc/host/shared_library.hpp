// Libraries that are loaded while the program runs, and the functions in them.
#pragma once

#include <string>

namespace subspan {

/// A library that is loaded already (`load` false) or one to be loaded now; null if there is none.
void* open_library(const std::string& path, bool load);

/// The function of that name in the library or, but on Windows, in one that it needs; null if none.
void* find_symbol(void* library, const char* name);

}  // namespace subspan
