#pragma once
#include <cmath>
#include <cstdint>

#include <attnlab/core/device.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/core/xt.hpp>
#include <attnlab/kernels/ids.hpp>

namespace attnlab {

/// losses (N), in nats: log of the sum of e^logits of a row, less the target's logit; 0 where the target is -1.
/// With `backward`, the logits (N,V) are replaced by their gradient, scale (softmax - onehot), 0 where the target is -1; without,
/// they stay. Give scale = 1 / (number of targets) for the gradient of a mean. \throws error for a target outside -1..V-1
inline void cross_entropy(ref, view<double, 2> logits, std::int32_t const* targets, double scale, bool backward, double* losses) {
    require_ids("cross_entropy: target", targets, logits.shape(0), -1, logits.shape(1));
    for (index_t i = 0; i < logits.shape(0); ++i) {
        auto row = as_xt(logits[i]);
        losses[i] = 0;
        if (targets[i] < 0) {
            if (backward) row.fill(0);
            continue;
        }
        double const high = xt::amax(row)();
        double const normalizer = high + std::log(xt::sum(xt::exp(row - high))());
        losses[i] = normalizer - logits(i, targets[i]);
        if (!backward) continue;
        xt::noalias(row) = scale * xt::exp(row - normalizer);
        logits(i, targets[i]) -= scale;
    }
}

}  // namespace attnlab
