// Attention statistics of a model: what the tiles tell is what the patterns say, layer by layer.
#include <cmath>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/attention/attention_bias.hpp>
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>
#include <attnlab/core/rng.hpp>
#include <attnlab/kernels/cpu/kernels.hpp>
#include <attnlab/models/gpt.hpp>

namespace attnlab::testing {

// Holds both and compares them once a layer.
struct both_ways {
    using sites = site_list<site::pattern, site::pattern_sums, site::pattern_entropy, site::pattern_columns>;
    std::vector<index_t> keys = {0, 5};
    tensor<float, 4> pattern{};
    int compared = 0;

    void operator()(site::pattern, index_t, view<float const, 4> x) {
        pattern.resize(x.shape());
        std::copy(x.begin(), x.end(), pattern.data());
    }
    void operator()(site::pattern_sums, index_t, view<float const, 3> x) {
        each_row(x, [&](index_t b, index_t h, index_t j) {
            double sum = 0;
            for (index_t i = 0; i < pattern.shape(2); ++i) sum += static_cast<double>(pattern(b, h, i, j));
            near(sum, x(b, h, j));
        });
    }
    void operator()(site::pattern_entropy, index_t, view<float const, 3> x) {
        each_row(x, [&](index_t b, index_t h, index_t i) {
            double entropy = 0;
            for (index_t j = 0; j < pattern.shape(3); ++j)
                if (double const w = static_cast<double>(pattern(b, h, i, j)); w > 0) entropy -= w * std::log(w);
            near(entropy, x(b, h, i));
        });
    }
    void operator()(site::pattern_columns, index_t, view<float const, 4> x) {
        for (index_t b = 0; b < x.shape(0); ++b)
            for (index_t h = 0; h < x.shape(1); ++h)
                for (index_t k = 0; k < x.shape(2); ++k)
                    for (index_t i = 0; i < x.shape(3); ++i)
                        near(static_cast<double>(pattern(b, h, i, keys[static_cast<std::size_t>(k)])), x(b, h, k, i));
    }

private:
    template <class Body>
    static void each_row(view<float const, 3> x, Body body) {
        for (index_t b = 0; b < x.shape(0); ++b)
            for (index_t h = 0; h < x.shape(1); ++h)
                for (index_t t = 0; t < x.shape(2); ++t) body(b, h, t);
    }
    void near(double expected, float found) {
        ++compared;
        if (!(std::abs(expected - static_cast<double>(found)) < 1e-5 * (1 + std::abs(expected)))) BOOST_ERROR("found " << found << ", expected " << expected);
    }
};

BOOST_AUTO_TEST_SUITE(statistics)

BOOST_AUTO_TEST_CASE(of_a_model_are_those_of_its_patterns) {
    gpt<attention<causal, softmax, attention_bias>, cpu> model({.n_layer = 2, .n_head = 4, .n_embd = 32, .block_size = 70, .vocab_size = 20, .init_std = 0.5});
    model.parameters().initialize(3);
    tensor<std::int32_t, 2> x({2, 70});
    for (index_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<std::int32_t>(rng::bits(1, static_cast<std::uint64_t>(i)) % 20);
    both_ways o;
    model.logits(*x, o);
    BOOST_TEST(o.compared == 2 * 2 * 4 * 70 * 4);   // layers, sequences, heads, positions; sums, entropy, two columns
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace attnlab::testing
