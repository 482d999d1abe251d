#pragma once
#include <string_view>

/// \file
/// Whether a sink was there for the scale: the rule.

namespace attnlab {

/// A head whose mean weight on the first key passes this is dormant; as in attention_scores.hpp.
inline constexpr double dormant_threshold = 0.5;

/// How an intervention changes a loss: the mean over sequences and half its 95 % interval (paired, Student's t), nats a token.
struct loss_change {
    double mean = 0, half_width = 0;
    /// Above the noise of the sequences. Less than a millionth of a nat is rounding.
    bool hurts() const { return mean > 1e-6 && mean > half_width; }
};

enum class scale_verdict {
    holds,         ///< (ii) hurts, (i) and (iii) do not
    holds_mostly,  ///< (ii) hurts; (i) and (iii) cost at most a tenth of it
    fails,         ///< what the sink hands on matters as well: (i) or (iii) costs more than that
    no_contrast,   ///< none of the three hurts
};

/// By the three changes of the loss of one model.
inline scale_verdict verdict_of(loss_change zero_value, loss_change mean_scale, loss_change constant) {
    bool const value = zero_value.hurts(), key = constant.hurts();
    if (!mean_scale.hurts()) return value || key ? scale_verdict::fails : scale_verdict::no_contrast;
    auto const small = [&](loss_change c) { return !c.hurts() || c.mean <= mean_scale.mean / 10; };
    if (!small(zero_value) || !small(constant)) return scale_verdict::fails;
    return value || key ? scale_verdict::holds_mostly : scale_verdict::holds;
}

inline std::string_view words(scale_verdict v) {
    switch (v) {
        case scale_verdict::holds: return "holds";
        case scale_verdict::holds_mostly: return "holds but for a tenth";
        case scale_verdict::fails: return "does not hold";
        default: return "is not decided: nothing hurts";
    }
}

}  // namespace attnlab
