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

/// The files that a run's observations go to, by --observe_format.
inline std::vector<std::filesystem::path> observation_paths(run_settings const& s) {
    std::vector<std::filesystem::path> out;
    for (auto const& format : s.observe_format) out.push_back(s.out_dir / ("observations." + format));
    return out;
}

/// What a run is looked at by: its first evaluation sequences.
inline probe<measure_statistics<float>> observed_batch(data_source const& data, run_settings const& s) {
    index_t const B = s.observe_sequences, T = s.model.block_size;
    tensor<token, 2> x({B, T}), y({B, T});
    data.evaluation(0, x, y);
    return {*x, *y, measure_statistics<float>(s.outlier_factor)};
}

}  // namespace attnlab
