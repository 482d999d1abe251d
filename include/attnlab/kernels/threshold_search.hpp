#pragma once

namespace attnlab {

/// Finds the threshold t at which a row's weights add up to 1, step by step: asked for the excess of their sum at `t`, and its slope. The sum
/// falls as t rises; a bracket grows until it holds the crossing, and Newton's steps that leave the bracket become bisections.
class threshold_search {
public:
    float t = -1;        ///< to be tried next, and in the end the answer
    bool done = false;

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
    enum { finding_low, finding_high, narrowing } now_ = finding_low;
    float low_ = -1, high_ = 0;
    int steps_ = 0;
};

}  // namespace attnlab
