#pragma once
#include <tuple>

#include <attnlab/attention/library.hpp>

/// \file
/// The policies of the tests of CUDA's attention, every kind of joint among them; nvcc compiles their kernels for tests on a GPU.

namespace attnlab::testing {

/// One pass, two passes, a threshold.
using weightings_on_cuda = std::tuple<attention<causal, softmax>, attention<full, sigmoid_attention>, attention<causal, softpick<>>,
                                      attention<causal, clipped_softmax<1.03, -0.03>>, attention<causal, sparsemax>>;
/// Prologues, scores with parameters and token numbers, masks, outputs.
using joints_on_cuda = std::tuple<attention<rope<>, causal, softmax, attention_bias>, attention<forgetting<>, document, softmax, context_scale>,
                                  attention<t5_bias<8, 16>, soft_cap<30>, sink_window<2, 40>, softmax1>, attention<qk_norm<>, kerple, dilated_window<3, 9>, softmax, element_gate>>;

/// Prologues of which several read x: they add to the same gradients.
struct gated_by_input {
    struct parameters {
        head_map<"gated_by_input.weight"> weight{from_model};
    };
    static constexpr auto query(auto const& row, auto const& p) { return (1 + tanh(dot(row.input, p.weight) / 16)) * row.query + row.head_input / 4; }
    static constexpr auto key(auto const& row, auto const& p) { return (1 + tanh(dot(row.input, p.weight) / 16)) * row.key; }
    static constexpr auto value(auto const& row, auto const&) { return row.value * tanh(row.head_input); }
};
using prologues_of_input_on_cuda = std::tuple<attention<rope<10000, 32, true>, gated_by_input, causal, softmax>>;

/// In families of Hugging Face; where these cap scores.
using in_families_on_cuda = attention<causal, softmax, attention_bias>;
using in_capped_families_on_cuda = attention<causal, softmax>;

/// Compiled for all sizes of heads, where the others are for one.
using head_sizes_on_cuda = std::tuple<attention<full, softmax, attention_bias>>;

#ifdef ATTNLAB_DEVICE_PASS
template <class... Policies>
void compile(std::tuple<Policies...>) {
    (compile_kernels<Policies>(), ...);
}
#endif

}  // namespace attnlab::testing
