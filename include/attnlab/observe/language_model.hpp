#pragma once
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <attnlab/core/buffer.hpp>
#include <attnlab/observe/any_observer.hpp>

/// \file
/// A trained model as analyses see it, whatever it is: an own checkpoint under any policy, or a Hugging Face folder that is streamed
/// layer by layer.

namespace attnlab {

/// What a model is. All but `attention` in numbers.
struct model_facts {
    std::string name;                 ///< of its folder or file
    std::filesystem::path path;       ///< where that is
    std::string family;               ///< "llama", "gpt2", ...; "gpt" for own checkpoints
    std::string attention;            ///< the policy's name
    std::string stored;               ///< dtype of the weights: "float32", "bfloat16", ...
    index_t layers = 0, width = 0, heads = 0, kv_heads = 0, head_size = 0, mlp_width = 0, vocabulary = 0, experts = 0;
    index_t longest = 0;              ///< T up to which it was trained, 0 where nothing limits it
    index_t parameters = 0;
    std::vector<std::string> sites;   ///< names of the sites that a pass shows, in order of visit
    std::vector<std::string> weights;   ///< matrices of a block under their names there: "self_attn.q_proj", "mlp.down_proj", ...
    std::string down_matrix;          ///< which of them is the MLP's last, as "mlp.down_proj"; empty for a mixture of experts
};

/// The token after each, (N, T); -1 after the last, where nobody knows it.
inline tensor<std::int32_t, 2> next_tokens(view<std::int32_t const, 2> x) {
    tensor<std::int32_t, 2> y(x.shape());
    for (index_t n = 0; n < x.shape(0); ++n)
        for (index_t t = 0; t < x.shape(1); ++t) y(n, t) = t + 1 < x.shape(1) ? x(n, t + 1) : -1;
    return y;
}

class language_model {
public:
    using ids = view<std::int32_t const, 2>;   ///< (N, T)

    virtual ~language_model() = default;
    virtual model_facts const& facts() const = 0;
    /// Passes N sequences through the blocks and shows `o` what it asks for: every layer in order, and in a layer the sequences in
    /// order, some at a time. Stops after the last layer that `asks` for anything where `logits` are not asked for.
    virtual void forward(ids x, any_observer& o) = 0;
    /// The same pass on to the head: cross-entropy in nats of the token `y` after each position, (N, T); 0 where y is -1.
    virtual tensor<double, 2> losses(ids x, ids y, any_observer& o) = 0;
    /// Of the tokens of x itself: after each of the first T - 1 positions, (N, T - 1).
    tensor<double, 2> next_token_losses(ids x, any_observer& o) {
        auto const all = losses(x, *next_tokens(x), o);
        tensor<double, 2> out({x.shape(0), std::max<index_t>(0, x.shape(1) - 1)});
        for (index_t n = 0; n < out.shape(0); ++n) std::copy_n(all.data() + n * x.shape(1), out.shape(1), out.data() + n * out.shape(1));
        return out;
    }
    /// A matrix of a block (O, I), in float32. \throws error when there is none of that name
    virtual tensor<float, 2> weight(index_t layer, std::string_view name) = 0;
    /// What a user should know about the files, a line each: tensors that nobody knows, and, after a pass, weights that are no numbers.
    virtual std::vector<std::string> warnings() const { return {}; }
};

}  // namespace attnlab
