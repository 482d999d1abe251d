# attnlab_add_compiled(): the target attnlab::compiled, which holds what is the same for every policy: layers and kernels, the commands,
# the six policies to compare with, the decoders of Hugging Face folders. Compiled in the project that uses it, with the flags of the
# directory that asks first: all that links it must be compiled for the same processor.
function(attnlab_add_compiled)
  if(TARGET attnlab_compiled)
    return()
  endif()
  set(folder "${PROJECT_BINARY_DIR}/attnlab")
  set(sources "${folder}/templates.cpp")
  file(CONFIGURE OUTPUT "${folder}/templates.cpp" CONTENT "#define ATTNLAB_COMPILE template\n#include <attnlab/cli/compiled.hpp>\n" @ONLY)
  foreach(part program run_commands model_commands paper_policies paper_families pretrained_models)
    file(CONFIGURE OUTPUT "${folder}/${part}.cpp" CONTENT "#include <attnlab/cli/@part@.hpp>\n" @ONLY)
    list(APPEND sources "${folder}/${part}.cpp")
  endforeach()
  add_library(attnlab_compiled STATIC ${sources})
  add_library(attnlab::compiled ALIAS attnlab_compiled)
  target_link_libraries(attnlab_compiled PUBLIC attnlab::attnlab)
  target_compile_definitions(attnlab_compiled PUBLIC ATTNLAB_COMPILED)
  if(TARGET MPI::MPI_CXX)  # mpirun -n 4 PROGRAM train
    target_compile_definitions(attnlab_compiled PRIVATE ATTNLAB_USE_MPI)
    target_link_libraries(attnlab_compiled PRIVATE MPI::MPI_CXX)
  endif()
endfunction()

# attnlab_add_experiment(NAME SOURCE...): a program of attnlab's commands over the policies that SOURCE hands to experiment_main or
# run_program.
function(attnlab_add_experiment name)
  attnlab_add_compiled()
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE attnlab::compiled)
endfunction()
