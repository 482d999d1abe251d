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
set(MPI_CXX_SKIP_MPICXX TRUE)  # the bindings that MPI 3 removed
find_package(MPI QUIET COMPONENTS CXX)  # taken where it is found; training is one process otherwise

# What the tokenisers stand on, which Debian packages without CMake files: attnlab::NAME for a header and a library.
macro(attnlab_find_library name header library)
  find_path(ATTNLAB_${name}_INCLUDE_DIR ${header})
  find_library(ATTNLAB_${name}_LIBRARY ${library})
  mark_as_advanced(ATTNLAB_${name}_INCLUDE_DIR ATTNLAB_${name}_LIBRARY)
  if(NOT ATTNLAB_${name}_INCLUDE_DIR OR NOT ATTNLAB_${name}_LIBRARY)
    set(attnlab_FOUND FALSE)
    set(attnlab_NOT_FOUND_MESSAGE "attnlab needs ${name}: ${header} and lib${library} (Debian: lib${name}-dev)")
    if(attnlab_FIND_REQUIRED)
      message(FATAL_ERROR "${attnlab_NOT_FOUND_MESSAGE}")
    endif()
    return()
  endif()
  if(NOT TARGET attnlab::${name})
    add_library(attnlab::${name} UNKNOWN IMPORTED GLOBAL)
    set_target_properties(attnlab::${name} PROPERTIES IMPORTED_LOCATION "${ATTNLAB_${name}_LIBRARY}"
      INTERFACE_INCLUDE_DIRECTORIES "${ATTNLAB_${name}_INCLUDE_DIR}")
  endif()
endmacro()
attnlab_find_library(pcre2 pcre2.h pcre2-8)
attnlab_find_library(utf8proc utf8proc.h utf8proc)
attnlab_find_library(sentencepiece sentencepiece_processor.h sentencepiece)
