// The program `attnlab`: the six attentions of "Systematic Outliers in Large Language Models", all others of the library, every command.
#include <attnlab/cli/experiment_main.hpp>

#include "library.hpp"

int main(int argc, char** argv) { return attnlab::run_program(argc, argv, attnlab::paper_experiments(), library_experiments()); }
