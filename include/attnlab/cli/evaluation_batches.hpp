#pragma once
#include <cstdint>
#include <numeric>
#include <vector>

#include <attnlab/cli/data_source.hpp>
#include <attnlab/cli/run_settings.hpp>

namespace attnlab {

/// One batch of evaluation sequences, each (B, T).
struct evaluation_batch {
    tensor<token, 2> x, y;
};

/// As many evaluation sequences as the settings ask for, in equal batches of training's size at most.
inline std::vector<evaluation_batch> evaluation_batches(data_source const& data, run_settings const& s) {
    index_t const B = std::gcd(s.train.batch_size, s.eval_sequences), T = s.model.block_size;
    std::vector<evaluation_batch> out;
    for (std::uint64_t i = 0; static_cast<index_t>(out.size()) * B < s.eval_sequences; ++i) {
        out.push_back({tensor<token, 2>({B, T}), tensor<token, 2>({B, T})});
        data.evaluation(i, out.back().x, out.back().y);
    }
    return out;
}

}  // namespace attnlab
