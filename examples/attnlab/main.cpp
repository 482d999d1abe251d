// The program `attnlab`: the six attentions of "Systematic Outliers in Large Language Models", and every command.
#include <attnlab/cli/experiment_main.hpp>

#include "policies.hpp"

int main(int argc, char** argv) {
    return attnlab::run_program(argc, argv,
                                {softmax_experiment(), value_bias_experiment(), context_bias_experiment(), attention_bias_experiment(),
                                 context_scale_experiment(), sigmoid_experiment()});
}
