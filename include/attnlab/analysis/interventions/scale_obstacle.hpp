#pragma once
#include <string_view>

namespace attnlab {

/// What keeps a policy's sinks from being read as scales (sink_as_scale.hpp); the numbers stand in results.
enum class scale_obstacle { none = 0, prologue = 1, weights = 2, slot = 3, output = 4, grouped = 5, family = 6 };

inline constexpr std::string_view words(scale_obstacle o) {
    switch (o) {
        case scale_obstacle::prologue: return "its prologue makes queries, keys or values inside the kernel, where they cannot be changed";
        case scale_obstacle::weights: return "its weights over the keys do not sum to 1";
        case scale_obstacle::slot: return "a learned slot takes a share of its weights: a scale of its own, not an implicit one";
        case scale_obstacle::output: return "its output joint is not known to be a factor and a summand";
        case scale_obstacle::grouped: return "several query heads share a value";
        case scale_obstacle::family: return "scale changes a value while the model runs, and in families of Hugging Face this policy is compiled without that";
        default: return "";
    }
}

}  // namespace attnlab
