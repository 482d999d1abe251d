# Everything the target attnlab links, once: read by CMakeLists.txt and, installed, by find_package(attnlab).
include(CMakeFindDependencyMacro)
if(NOT DEFINED BLA_VENDOR)
  set(BLA_VENDOR OpenBLAS)  # xtensor-blas looks for a BLAS as well: one program, one BLAS
endif()
find_dependency(xsimd)
find_dependency(xtensor)
find_dependency(xtensor-blas)
find_dependency(BLAS)
find_dependency(nlohmann_json)
find_dependency(Boost COMPONENTS program_options)
find_dependency(OpenMP COMPONENTS CXX)
find_dependency(Threads)
find_package(dnnl QUIET)  # taken where it is found; cblas does the products otherwise
