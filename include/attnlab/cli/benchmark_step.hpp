#pragma once
#include <string>

#include <omp.h>

#include <attnlab/cli/benchmark_timing.hpp>
#include <attnlab/cli/experiment.hpp>
#include <attnlab/core/rng.hpp>
#include <attnlab/train/optimizer.hpp>

/// \file
/// `attnlab benchmark step`: a training step, forward, backward, clip, AdamW. Names: step.attnlab.SIZE.POLICY.tTHREADS, and .B12 where
/// the size says another batch, then
///   .min, .median   milliseconds
///   .rate           tokens/s, at the median
///   .flops          GFLOP/s at the median: (6 N + 6 L C T) a token, the causal half of the square
///   .mfu            of a GPU's bfloat16 products at its highest clock
///   .params         N: learned numbers without the table of positions, as nanoGPT counts
///   .peak_rss       MiB of the whole process while this model was trained

namespace attnlab {

/// A model and a batch that are timed under a name of their own.
struct step_size {
    gpt_config model;
    index_t batch = 1;
};

/// demo is the default task of `reproduce`; the others are the sizes of the scripts that time PyTorch.
inline step_size step_size_of(std::string const& name) {
    if (name == "demo") return {{.n_layer = 3, .n_head = 4, .n_embd = 64, .block_size = 32, .vocab_size = 64, .bias = true}, 16};
    if (name == "tiny") return {{.n_layer = 3, .n_head = 4, .n_embd = 128, .block_size = 128, .vocab_size = 64}, 64};
    if (name == "small") return {{.n_layer = 6, .n_head = 6, .n_embd = 384, .block_size = 256, .vocab_size = 65}, 12};
    return {{}, 1};  // gpt2-124m
}

/// Times training steps of one policy on B sequences, on as many threads as OpenMP has.
inline void benchmark_step(experiment const& e, std::string const& size, index_t B, double seconds, benchmark_place const& place) {
    auto const known = step_size_of(size);
    auto c = known.model;
    c.products = place.products;
    detail::reset_peak_memory();
    auto const model = e.make_model(c, place.device);
    model->parameters().initialize(1);
    auto const& on = model->operations();
    optimizer<float> adam(model->parameters(), {}, on);
    tensor<std::int32_t, 2> x({B, c.block_size}), y({B, c.block_size});
    for (index_t i = 0; i < x.size(); ++i) {
        auto const n = static_cast<std::uint64_t>(i), V = static_cast<std::uint64_t>(c.vocab_size);
        x.data()[i] = static_cast<std::int32_t>(rng::bits(1, n) % V);
        y.data()[i] = static_cast<std::int32_t>(rng::bits(2, n) % V);
    }
    auto const t = time_calls(seconds, [&] {
        on.zero(model->parameters().gradients());
        model->loss_and_gradient(*x, *y, 1);
        adam.step(6e-4, clip_factor(on.gradient_norm(model->parameters()), 1));
    }, place.device);
    auto const name = text("step.attnlab.", size, ".", e.card.name, ".", place.name(), B == known.batch ? "" : text(".B", B));
    auto const tokens = static_cast<double>(x.size());
    auto const N = static_cast<double>(model->parameters().count() - c.block_size * c.n_embd);
    auto const flop = c.training_flop(model->parameters().count()) * tokens;
    print_times(name, t);
    print_figure(name + ".rate", tokens / t.median, "tokens/s");
    print_figure(name + ".flops", flop / t.median * 1e-9, "GFLOP/s");
    if (double const peak = peak_of(place.device); peak > 0) print_figure(name + ".mfu", flop / t.median / peak, "share");
    print_figure(name + ".params", N, "count");
    print_figure(name + ".peak_rss", detail::memory_mib("VmHWM"), "MiB");
}

}  // namespace attnlab
