#pragma once
#include <cmath>
#include <cstdint>
#include <numbers>

#include <attnlab/core/error.hpp>

/// \file
/// The learning rate of each step: linear warm-up, then a cosine down to `min_lr` (nanoGPT's get_lr).

namespace attnlab {

/// nanoGPT's names and defaults. A warm-up followed by a constant rate is `min_lr = learning_rate`.
struct schedule_settings {
    double learning_rate = 6e-4;  ///< highest rate
    double min_lr = 6e-5;         ///< from `lr_decay_iters` on
    std::int64_t warmup_iters = 2000;
    std::int64_t lr_decay_iters = 600000;
    bool decay_lr = true;          ///< false: `learning_rate` always, without a warm-up
    bool warmup_from_zero = true;  ///< true: rate it/warmup_iters, so step 0 stands still; false: (it+1)/warmup_iters
};

/// \throws usage_error that names the field
inline void validate(schedule_settings const& s) {
    if (!(s.learning_rate >= 0)) fail<usage_error>("learning_rate: '", s.learning_rate, "': expected 0 or more");
    if (!(0 <= s.min_lr && s.min_lr <= s.learning_rate))
        fail<usage_error>("min_lr: '", s.min_lr, "': expected a number from 0 to learning_rate, ", s.learning_rate);
    if (s.warmup_iters < 0) fail<usage_error>("warmup_iters: '", s.warmup_iters, "': expected 0 or more");
    if (s.decay_lr && s.lr_decay_iters < s.warmup_iters)
        fail<usage_error>("lr_decay_iters: '", s.lr_decay_iters, "': expected warmup_iters, ", s.warmup_iters, ", or more");
}

/// The rate of step `it`, counted from 0.
inline double learning_rate(schedule_settings const& s, std::int64_t it) {
    if (!s.decay_lr) return s.learning_rate;
    if (it < s.warmup_iters)
        return s.learning_rate * static_cast<double>(s.warmup_from_zero ? it : it + 1) / static_cast<double>(s.warmup_iters);
    if (it >= s.lr_decay_iters) return s.min_lr;
    double const done = static_cast<double>(it - s.warmup_iters) / static_cast<double>(s.lr_decay_iters - s.warmup_iters);
    return s.min_lr + 0.5 * (1 + std::cos(std::numbers::pi * done)) * (s.learning_rate - s.min_lr);
}

}  // namespace attnlab
