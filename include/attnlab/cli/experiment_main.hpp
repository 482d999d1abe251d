#pragma once
#include <vector>

#include <attnlab/cli/experiment.hpp>

/// \file
/// What the file with main needs. The commands themselves are in program.hpp, compiled beside it.

namespace attnlab {

/// Runs the command that the arguments name. Exit status: 0 done, 1 failed, 2 wrong usage, 130 stopped by a signal.
int run_program(int argc, char** argv, std::vector<experiment> experiments);

/// A whole program out of policies: `int main(int argc, char** argv) { return experiment_main<attention<causal, softmax, slot>>(argc, argv); }`.
/// Each is named after its last joint; several are compared by `reproduce`.
template <class... Policies>
int experiment_main(int argc, char** argv) {
    return run_program(argc, argv, {make_experiment<Policies>()...});
}

}  // namespace attnlab
