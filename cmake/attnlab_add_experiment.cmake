# attnlab_add_experiment(NAME SOURCE...): a program of attnlab's commands over the policies that SOURCE hands to experiment_main or
# run_program. The commands are compiled once for all such programs of a project, whatever changes in the policies.
function(attnlab_add_experiment name)
  if(NOT TARGET attnlab_commands)
    set(commands "${PROJECT_BINARY_DIR}/attnlab_commands.cpp")
    file(CONFIGURE OUTPUT "${commands}" CONTENT "#include <attnlab/cli/program.hpp>\n" @ONLY)
    add_library(attnlab_commands OBJECT "${commands}")
    target_link_libraries(attnlab_commands PUBLIC attnlab::attnlab)
  endif()
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE attnlab_commands)
endfunction()
