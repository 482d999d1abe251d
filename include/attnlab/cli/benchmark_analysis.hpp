#pragma once
#include <numeric>
#include <string>

#include <omp.h>

#include <attnlab/cli/benchmark_timing.hpp>
#include <attnlab/cli/experiment.hpp>
#include <attnlab/core/rng.hpp>
#include <attnlab/observe/language_model.hpp>

/// \file
/// `attnlab benchmark analysis`: a forward pass of 8 layers, 16 heads, width 1024, and the same with every attention statistic. Names:
/// analysis.plain|statistics[.POLICY].tTHREADS.fwd.TLENGTH, POLICY where it is not softmax, then
/// and with --model, of a Hugging Face folder's model on its way to all logits: analysis.plain|statistics.FAMILY.tTHREADS.fwd.TLENGTH, then
///   .min, .median   milliseconds
///   .peak_rss       MiB of the whole process meanwhile

namespace attnlab {
namespace detail {

/// Asks for logits, which a decoder else leaves out, and perhaps for every statistic; reads every number, so that none can be left out.
class any_reader final : public any_observer {
public:
    explicit any_reader(bool statistics) : statistics_(statistics) {}
    bool asks(std::string_view site, index_t) const override {
        return site == site::logits::name || (statistics_ && (site == site::pattern_sums::name || site == site::pattern_entropy::name || site == site::largest_score::name ||
                               site == site::pattern_columns::name));
    }
    void see(seen_site const& x) override {
        if (x.site != site::logits::name) sum_ = std::accumulate(x.values.begin(), x.values.end(), sum_);
    }

private:
    bool statistics_;
    double sum_ = 0;
};

inline tensor<std::int32_t, 2> random_tokens(index_t T, index_t vocabulary) {
    tensor<std::int32_t, 2> x({1, T});
    for (index_t i = 0; i < T; ++i) x(0, i) = static_cast<std::int32_t>(rng::bits(1, static_cast<std::uint64_t>(i)) % static_cast<std::uint64_t>(vocabulary));
    return x;
}

}  // namespace detail

/// Times a folder's model at one length, on as many threads as OpenMP has. \param device  that it was opened on
inline void benchmark_analysis(language_model& model, index_t T, double seconds, std::string const& device) {
    auto const x = detail::random_tokens(T, model.facts().vocabulary);
    for (bool const statistics : {false, true}) {
        detail::any_reader reader(statistics);
        auto const name = text("analysis.", statistics ? "statistics." : "plain.", model.facts().family, ".", benchmark_place{device}.name(), ".fwd.T", T);
        detail::reset_peak_memory();
        print_times(name, time_calls(seconds, [&] { model.forward(x, reader); }, device));
        print_figure(name + ".peak_rss", detail::memory_mib("VmHWM"), "MiB");
    }
}

/// Times one policy at one length, on as many threads as OpenMP has.
inline void benchmark_analysis(experiment const& e, index_t T, double seconds, std::string const& device) {
    auto const model = e.make_model({.n_layer = 8, .n_head = 16, .n_embd = 1024, .block_size = T, .vocab_size = 32000, .bias = false}, device);
    model->parameters().initialize(1);
    auto const x = detail::random_tokens(T, 32000);
    auto const time = [&](char const* what, auto pass) {
        auto const policy = e.card.name == "softmax" ? std::string() : "." + e.card.name;
        auto const name = text("analysis.", what, policy, ".", benchmark_place{device}.name(), ".fwd.T", T);
        detail::reset_peak_memory();
        print_times(name, time_calls(seconds, pass, device));
        print_figure(name + ".peak_rss", detail::memory_mib("VmHWM"), "MiB");
    };
    detail::any_reader reader(true);
    time("plain", [&] { model->logits(*x); });
    time("statistics", [&] { model->logits(*x, reader); });
}

}  // namespace attnlab
