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
  get_property(with_cuda GLOBAL PROPERTY ATTNLAB_CUDA_FOUND)
  if(with_cuda)
    target_compile_definitions(attnlab_compiled PUBLIC ATTNLAB_USE_CUDA)
    # A policy a file. In families of Hugging Face all six, and softmax in each of the forms that these have, which serves to look at folders as well.
    set(kernels "")
    foreach(i RANGE 5)
      attnlab_instantiate(kernels "paper_policy_${i}" "void attnlab::compile_kernels<attnlab::paper_policy<${i}>>()")
      attnlab_instantiate(kernels "paper_policy_${i}_in_families"
        "attnlab::family_policies attnlab::compile_for_families<attnlab::paper_policy<${i}>, attnlab::score_form::plain>()")
    endforeach()
    foreach(form alibi capped)
      attnlab_instantiate(kernels "softmax_in_families_${form}"
        "attnlab::family_policies attnlab::compile_for_families<attnlab::paper_policy<0>, attnlab::score_form::${form}>()")
    endforeach()
    attnlab_instantiate(kernels sink_in_folders "void attnlab::compile_forward_kernels<attnlab::decoder_sink>()")
    attnlab_add_device_pass(attnlab_compiled ${kernels})
    attnlab_add_nccl()
    target_link_libraries(attnlab_compiled PRIVATE $<TARGET_NAME_IF_EXISTS:attnlab_nccl>)
  endif()
endfunction()

# A file for nvcc that compiles an instance of a template, appended to the list.
function(attnlab_instantiate list name instance)
  set(file "${PROJECT_BINARY_DIR}/attnlab/${name}.hpp")
  file(CONFIGURE OUTPUT "${file}" CONTENT "#include <attnlab/cli/experiment_main.hpp>\n#include <attnlab/cli/paper_policy.hpp>\ntemplate @instance@;\n" @ONLY)
  set(${list} ${${list}} "${file}" PARENT_SCOPE)
endfunction()

# attnlab_add_experiment(NAME SOURCE...): a program of attnlab's commands over the policies that SOURCE hands to experiment_main or
# run_program. With CUDA nvcc compiles each SOURCE once more, for their kernels.
function(attnlab_add_experiment name)
  attnlab_add_compiled()
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE attnlab::compiled)
  cmake_language(EVAL CODE "cmake_language(DEFER CALL attnlab_expect_one_processor [[${name}]])")  # when the file has said all flags
  get_property(with_cuda GLOBAL PROPERTY ATTNLAB_CUDA_FOUND)
  if(with_cuda)
    attnlab_add_device_pass(${name} ${ARGN})
  endif()
endfunction()

# What a program and attnlab::compiled both instantiate the linker takes from one of them: compiled for two processors, a program would be slow without a
# word, or end by an unknown instruction.
function(attnlab_expect_one_processor name)
  foreach(target ${name} attnlab_compiled)
    get_target_property(flags_of_${target} ${target} COMPILE_OPTIONS)
    list(FILTER flags_of_${target} INCLUDE REGEX "^-m(arch|tune|cpu|avx|fma|sse)")
  endforeach()
  if(NOT "${flags_of_${name}}" STREQUAL "${flags_of_attnlab_compiled}")
    message(FATAL_ERROR "${name} is compiled with '${flags_of_${name}}' and attnlab::compiled with '${flags_of_attnlab_compiled}': expected one processor, "
      "by add_compile_options(-march=native) before attnlab_add_experiment or attnlab_add_compiled, and none for the target alone")
  endif()
endfunction()
