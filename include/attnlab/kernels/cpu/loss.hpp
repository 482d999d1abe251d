#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include <attnlab/core/device.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cpu/rows.hpp>
#include <attnlab/kernels/cpu/simd.hpp>
#include <attnlab/kernels/ids.hpp>

namespace attnlab {

/// losses (N), in nats: log of the sum of e^logits of a row, less the target's logit; 0 where the target is -1.
/// With `backward`, the logits (N,V) are replaced by their gradient, scale (softmax - onehot), 0 where the target is -1; without,
/// they stay. Give scale = 1 / (number of targets) for the gradient of a mean. \throws error for a target outside -1..V-1
inline void cross_entropy(cpu, view<float, 2> logits, std::int32_t const* targets, float scale, bool backward, double* losses) {
    index_t const n = logits.shape(0), vocabulary = logits.shape(1);
    require_ids("cross_entropy: target", targets, n, -1, vocabulary);
    each_row(n, vocabulary, [=](index_t i) {
        constexpr float nothing = -std::numeric_limits<float>::infinity();
        float* const row = logits.data() + i * vocabulary;
        if (targets[i] < 0) {
            losses[i] = 0;
            if (backward) std::fill_n(row, vocabulary, 0.0f);
            return;
        }
        lanes high = nothing;
        each_lanes(vocabulary, [&](index_t j, auto part) { high = max(high, load(row + j, part, nothing)); });
        float const shift = hmax(high);
        double const of_target = row[targets[i]];

        // Sums of a thousand stay in float; a vocabulary of 50 thousand does not.
        double total = 0;
        constexpr index_t block = 1024;
        for (index_t first = 0; first < vocabulary; first += block) {
            lanes sum = 0.0f;
            each_lanes(std::min(block, vocabulary - first), [&](index_t j, auto part) {
                float* const p = row + first + j;
                lanes const e = exp(load(p, part, nothing) - shift);
                sum += e;
                if (backward) store(p, e, part);
            });
            total += hsum(sum);
        }
        losses[i] = std::log(total) + shift - of_target;
        if (!backward) return;
        float const factor = static_cast<float>(scale / total);
        each_lanes(vocabulary, [=](index_t j, auto part) { store(row + j, load(row + j, part) * factor, part); });
        row[targets[i]] -= scale;
    });
}

}  // namespace attnlab
