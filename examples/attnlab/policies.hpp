#pragma once
#include <vector>

namespace attnlab {
struct experiment;
}

// Each policy's commands are compiled in a file of their own.
attnlab::experiment softmax_experiment();
attnlab::experiment value_bias_experiment();
attnlab::experiment context_bias_experiment();
attnlab::experiment attention_bias_experiment();
attnlab::experiment context_scale_experiment();
attnlab::experiment sigmoid_experiment();
