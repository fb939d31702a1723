# The C++ library for other projects: find_package(subspan) gives
#   subspan::subspan   the headers: algorithms as templates over an executor
#   subspan::host      the executor Host, compiled; BLAS and LAPACK are given to it at run time
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(headers ${CMAKE_INSTALL_INCLUDEDIR}/subspan)  # holds the folders that #include names
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/subspan)

add_library(subspan INTERFACE)
target_compile_features(subspan INTERFACE cxx_std_20)
# Sketches have the same bits on every machine only without contraction.
target_compile_options(subspan INTERFACE $<$<CXX_COMPILER_ID:GNU,Clang,AppleClang>:-ffp-contract=off>)
target_include_directories(subspan INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/csrc>
                                             $<INSTALL_INTERFACE:${headers}>)
target_link_libraries(subspan_host PUBLIC subspan)
set_target_properties(subspan_host PROPERTIES EXPORT_NAME host)

install(TARGETS subspan subspan_host EXPORT subspan ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY csrc/subspan csrc/host DESTINATION ${headers} FILES_MATCHING PATTERN "*.hpp"
        PATTERN isa EXCLUDE)
install(EXPORT subspan NAMESPACE subspan:: FILE subspanTargets.cmake DESTINATION ${package})
configure_package_config_file(cmake/subspanConfig.cmake.in subspanConfig.cmake
                              INSTALL_DESTINATION ${package})
write_basic_package_version_file(subspanConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/subspanConfig.cmake
              ${PROJECT_BINARY_DIR}/subspanConfigVersion.cmake
        DESTINATION ${package})
