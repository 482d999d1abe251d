#pragma once

namespace attnlab {

/// Finds the threshold t at which a row's weights add up to 1, step by step: asked for the excess of their sum at `t`, and its slope. The sum
/// falls as t rises; a bracket grows until it holds the crossing, and Newton's steps that leave the bracket become bisections.
class threshold_search {
public:
    float t;      ///< to be tried next, and in the end the answer
    bool done;

    /// A search that begins. (No constructor: device code keeps searches in arrays that it fills later.)
    static constexpr threshold_search from_minus_one() {
        threshold_search s{};
        s.t = s.low_ = -1;
        return s;
    }
    constexpr void step(float excess, float slope) {
        switch (now_) {
            case finding_low:
                if (excess < 0 && t > -1e30f) {
                    high_ = t, t *= 2;
                } else {
                    low_ = t, t = high_, now_ = finding_high;
                }
                return;
            case finding_high:
                if (excess > 0 && t < 1e30f) {
                    low_ = t, t = high_ = t < 1 ? 1 : 2 * t;
                } else {
                    t = low_, now_ = narrowing;
                }
                return;
            case narrowing:
                (excess > 0 ? low_ : high_) = t;
                float next = t - excess / slope;
                if (!(next > low_ && next < high_)) next = 0.5f * (low_ + high_);
                done = next == t || (excess < 1e-7f && excess > -1e-7f) || ++steps_ == 60;
                if (!done || steps_ == 60) t = next;
                return;
        }
    }

private:
    enum { finding_low, finding_high, narrowing } now_;
    float low_, high_;
    int steps_;
};

}  // namespace attnlab
