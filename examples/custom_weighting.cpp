// Weightings of one's own beside softmax: `summand` says what is summed over the keys, `weight` what becomes of one score.
//   build/release/bin/custom_weighting reproduce --policies softmax,shifted_softplus,floored_softmax      a report on the three
#include <attnlab/attnlab.hpp>
using namespace attnlab;

// Softplus of shifted scores, normalised. The 1e-15 gives weights 0, not NaN, to a row whose terms all vanish; 1 / 1e-15 squared, which
// the way back needs, is still a float.
struct shifted_softplus {
    static constexpr auto summand(auto s) { return softplus(s - 1); }
    static constexpr auto weight(auto s, auto z) { return softplus(s - 1) / (z + 1e-15); }
};

// Softmax less a floor: keys below 2 % get exactly nothing. Nothing is to be done against overflow: exp(s) / z is written as it stands,
// and computed relative to the largest score of the row.
struct floored_softmax {
    static constexpr auto summand(auto s) { return exp(s); }
    static constexpr auto weight(auto s, auto z) { return relu(exp(s) / z - 0.02); }
};

// The first weight is a product f(s) g(z): one pass over the keys sums f(s) v, and g(z) is multiplied at the end. The second is not:
// z must be known before a weight is, so the kernel walks the keys twice. Nobody asks for it; it is read off the formula.
static_assert(attention<causal, shifted_softplus>::one_pass);
static_assert(!attention<causal, floored_softmax>::one_pass);

int main(int argc, char** argv) {
    return experiment_main<attention<causal, shifted_softplus>, attention<causal, floored_softmax>>(argc, argv);
}
