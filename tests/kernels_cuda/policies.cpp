// Policies for test_gpu: only nvcc compiles this file, as the second pass over it.
#include <attnlab/cli/experiment_main.hpp>

#include "kernels_cuda/policies.hpp"


void compile_tested_policies() { attnlab::compile_kernels<attnlab::testing::with_slot>(); }

