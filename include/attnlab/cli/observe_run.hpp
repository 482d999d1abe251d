#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/analysis/statistics_measure.hpp>
#include <attnlab/cli/any_model.hpp>
#include <attnlab/cli/data_source.hpp>
#include <attnlab/cli/run_settings.hpp>
#include <attnlab/io/observation_stream.hpp>
#include <attnlab/train/observe.hpp>

/// \file
/// A run observed while it trains (`--observe_interval`): sinks and the stream on a fixed batch, streamed into the run's folder.

namespace attnlab {

/// `measure_statistics` as a model under some policy takes it.
class watching_steps final : public step_watcher {
public:
    explicit watching_steps(double outlier_factor) : seen_(outlier_factor) {}
    void operator()(site::resid_pre s, index_t layer, view<float const, 3> x) override { seen_(s, layer, x); }
    void operator()(site::v s, index_t layer, view<float const, 4> x) override { seen_(s, layer, x); }
    void operator()(site::pattern_sums s, index_t layer, view<float const, 3> x) override { seen_(s, layer, x); }
    void operator()(site::pattern_entropy s, index_t layer, view<float const, 3> x) override { seen_(s, layer, x); }
    void operator()(site::largest_score s, index_t layer, view<float const, 3> x) override { seen_(s, layer, x); }
    void operator()(site::resid_post s, index_t layer, view<float const, 3> x) override { seen_(s, layer, x); }

    template <class Row>
    void each(Row&& row) const {
        seen_.each(row);
    }

private:
    measure_statistics<float> seen_;
};

/// The files that a run's observations go to, by --observe_format.
inline std::vector<std::filesystem::path> observation_paths(run_settings const& s) {
    std::vector<std::filesystem::path> out;
    for (auto const& format : s.observe_format) out.push_back(s.out_dir / ("observations." + format));
    return out;
}

/// What a run is looked at by: its first evaluation sequences.
inline probe<watching_steps> observed_batch(data_source const& data, run_settings const& s) {
    index_t const B = s.observe_sequences, T = s.model.block_size;
    tensor<token, 2> x({B, T}), y({B, T});
    data.evaluation(0, x, y);
    return {*x, *y, watching_steps(s.outlier_factor)};
}

}  // namespace attnlab
