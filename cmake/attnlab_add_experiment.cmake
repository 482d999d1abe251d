# attnlab_add_experiment(NAME SOURCE...): a program of attnlab's commands over the policies that SOURCE hands to experiment_main or
# run_program. The commands are compiled beside it, once, whatever changes in the policies.
function(attnlab_add_experiment name)
  set(program "${CMAKE_CURRENT_BINARY_DIR}/${name}_program.cpp")
  file(CONFIGURE OUTPUT "${program}" CONTENT "#include <attnlab/cli/program.hpp>\n" @ONLY)
  add_executable(${name} ${ARGN} "${program}")
  target_link_libraries(${name} PRIVATE attnlab::attnlab)
endfunction()
