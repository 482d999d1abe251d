// A score of one's own beside plain softmax: what q.k / sqrt(D) becomes before the weighting.
//   build/release/bin/custom_score reproduce --policies softmax,decayed_score      a report on both
#include <attnlab/attnlab.hpp>
using namespace attnlab;

// For each head a temperature and a slope by which far keys lose, both positive and both learned: s exp(t_h) - softplus(a_h) |i - j|.
// `head_scalar` is a number for each head; the name is that of the array on disk, the braces say how it starts.
struct decayed_score {
    struct parameters {
        head_scalar<"log_temperature"> log_temperature{zeros};
        head_scalar<"slope"> slope{constant(-4)};   // softplus(-4) = 0.018: nearly no decay at first
    };
    static constexpr auto score(auto s, auto const& at, auto const& p) {
        return exp(p.log_temperature) * s - softplus(p.slope) * abs(at.distance);
    }
};

int main(int argc, char** argv) {
    return experiment_main<attention<decayed_score, causal, softmax>>(argc, argv);
}
