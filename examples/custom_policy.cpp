// An attention of one's own beside the six of the paper: every command of attnlab, for all of them.
//   build/release/bin/custom_policy reproduce      trains them side by side and writes a report
#include <attnlab/attnlab.hpp>
using namespace attnlab;

// One learnable key and value beside the sequence. Nobody writes a derivative.
struct slot {
    struct parameters {
        head_vector<"key"> key{normal(0.02)};
        head_vector<"value"> value{normal(0.02)};
    };
    static constexpr auto slot_share(auto const& row, auto const& p) {   // what analysis is told that the tokens do not get
        return sigmoid(row.scale * dot(row.query, p.key) - row.log_normalizer);
    }
    static constexpr auto output(auto const& row, auto const& p) {
        auto w = slot_share(row, p);
        return (1 - w) * row.output + w * p.value;
    }
};

int main(int argc, char** argv) {
    return experiment_main<attention<causal, softmax, slot>>(argc, argv);
}
