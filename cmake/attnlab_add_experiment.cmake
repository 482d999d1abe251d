# attnlab::compiled: what is the same for every policy, compiled once: layers and kernels, the commands, the six policies to compare with.
# Made in the project that uses it, with that project's flags, and only where something links it.
set(sources "")
foreach(header cli/program cli/paper_policies)
  cmake_path(GET header FILENAME name)
  file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/attnlab_${name}.cpp" CONTENT "#include <attnlab/${header}.hpp>\n" @ONLY)
  list(APPEND sources "${PROJECT_BINARY_DIR}/attnlab_${name}.cpp")
endforeach()
file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/attnlab_templates.cpp" @ONLY
  CONTENT "#include <attnlab/compiled.hpp>\n#define ATTNLAB_COMPILE template\n#include <attnlab/compiled.inc>\n")
if(NOT TARGET attnlab_compiled)
  add_library(attnlab_compiled STATIC EXCLUDE_FROM_ALL ${sources} "${PROJECT_BINARY_DIR}/attnlab_templates.cpp")
  add_library(attnlab::compiled ALIAS attnlab_compiled)
  target_link_libraries(attnlab_compiled PUBLIC attnlab::attnlab)
  target_compile_definitions(attnlab_compiled PUBLIC ATTNLAB_COMPILED)
endif()

# attnlab_add_experiment(NAME SOURCE...): a program of attnlab's commands over the policies that SOURCE hands to experiment_main or
# run_program.
function(attnlab_add_experiment name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE attnlab::compiled)
endfunction()
