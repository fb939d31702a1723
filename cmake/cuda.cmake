# The CUDA module. It needs nvcc, cuBLAS and cuSOLVER to build, no GPU and no driver.
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES "90-real;90-virtual")
endif()
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)

# NVIDIA's wheels have the headers, and the libraries under the names that programs load, without
# the plain lib*.so that linkers look for; a CUDA toolkit has both. The wheels come first.
execute_process(
  COMMAND ${Python_EXECUTABLE} -c "import nvidia.cu13 as n; print(list(n.__path__)[0])"
  OUTPUT_VARIABLE wheels OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
function(subspan_cuda_library name file header)
  find_library(SUBSPAN_${name} NAMES ${file} lib${name}.so
               HINTS ${wheels}/lib ${CUDAToolkit_LIBRARY_DIR})
  find_path(SUBSPAN_${name}_INCLUDE ${header} HINTS ${wheels}/include ${CUDAToolkit_INCLUDE_DIRS})
  if(NOT SUBSPAN_${name} OR NOT SUBSPAN_${name}_INCLUDE)
    message(FATAL_ERROR "${file} or ${header} not found: pip install nvidia-cublas nvidia-cusolver "
                        "(the versions of nvcc's CUDA release), or install them with the toolkit.")
  endif()
  add_library(subspan::${name} SHARED IMPORTED)
  set_target_properties(subspan::${name} PROPERTIES
    IMPORTED_LOCATION ${SUBSPAN_${name}}
    INTERFACE_INCLUDE_DIRECTORIES ${SUBSPAN_${name}_INCLUDE})
endfunction()
subspan_cuda_library(cublas libcublas.so.13 cublas_v2.h)
subspan_cuda_library(cusolver libcusolver.so.12 cusolverDn.h)

add_library(subspan_cuda STATIC
  csrc/cuda/status.cpp csrc/cuda/lane.cpp csrc/cuda/exec.cpp csrc/cuda/dense.cpp
  csrc/cuda/kernels_real.cu csrc/cuda/kernels_complex.cu)
subspan_settings(subspan_cuda)
target_compile_features(subspan_cuda PUBLIC cuda_std_20)
target_link_libraries(subspan_cuda PUBLIC subspan::cublas subspan::cusolver CUDA::cudart_static)

subspan_python_module(_cuda)
target_compile_definitions(_cuda PRIVATE SUBSPAN_BIND_CUDA)
target_sources(_cuda PRIVATE csrc/bind/register_device.cpp)
target_link_libraries(_cuda PRIVATE subspan_cuda)
set_target_properties(_cuda PROPERTIES
  BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "$ORIGIN/../nvidia/cu13/lib")
