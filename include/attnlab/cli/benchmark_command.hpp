#pragma once
#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include <attnlab/cli/benchmark_attention.hpp>
#include <attnlab/cli/options.hpp>
#include <attnlab/train/optimizer.hpp>

/// \file
/// `attnlab benchmark attention|step`.

namespace attnlab {

struct benchmark_settings {
    std::string what;                                   ///< attention or step
    std::vector<std::string> sizes = {"demo"};          ///< of step
    std::vector<std::string> lengths = {"1024"};        ///< T of attention
    attention_sizes attention;
    double seconds = 1;                                 ///< spent on each figure
};

/// A training step: forward, backward, clip, AdamW.
inline void benchmark_step(experiment const& e, benchmark_settings const& s) {
    for (auto const& size : s.sizes) {
        gpt_config c;
        index_t B = 1;
        if (size == "demo") c = {.n_layer = 3, .n_head = 4, .n_embd = 64, .block_size = 32, .vocab_size = 64, .bias = true}, B = 16;
        else if (size == "tiny") c = {.n_layer = 3, .n_head = 4, .n_embd = 128, .block_size = 128, .vocab_size = 64}, B = 64;
        else if (size == "small") c = {.n_layer = 6, .n_head = 6, .n_embd = 384, .block_size = 256, .vocab_size = 65}, B = 12;
        else if (size != "gpt2-124m") fail<usage_error>("--sizes: '", size, "': expected demo, tiny, small or gpt2-124m");
        auto const model = e.make_model(c);
        model->parameters().initialize(1);
        optimizer<float> adam(model->parameters(), {});
        tensor<std::int32_t, 2> x({B, c.block_size}), y({B, c.block_size});
        for (index_t i = 0; i < x.size(); ++i) {
            auto const n = static_cast<std::uint64_t>(i), V = static_cast<std::uint64_t>(c.vocab_size);
            x.data()[i] = static_cast<std::int32_t>(rng::bits(1, n) % V);
            y.data()[i] = static_cast<std::int32_t>(rng::bits(2, n) % V);
        }
        auto const t = detail::time_calls(s.seconds, [&] {
            model->parameters().zero_gradients();
            model->loss_and_gradient(*x, *y, 1);
            adam.step(6e-4, clip_factor(gradient_norm(model->parameters()), 1));
        });
        auto const name = text("step.attnlab.", size, ".", e.card.name, ".t", omp_get_max_threads());
        detail::print_times(name, t);
        std::cout << name << ".rate " << static_cast<double>(x.size()) / t.second << " tokens/s\n"
                  << name << ".params " << model->parameters().count() << " count" << std::endl;
    }
}

/// Times one policy by the settings.
inline void benchmark_command(experiment const& e, benchmark_settings const& s) {
    if (s.what == "step") return benchmark_step(e, s);
    for (auto const& T : s.lengths) {
        auto sizes = s.attention;
        sizes.length = *option_type<index_t>::read(T);   // checked where options are read
        time_attention(e.card.name, e.kernels, sizes, s.seconds);
    }
}

}  // namespace attnlab
