#include <boost/test/unit_test.hpp>

#include <vector>

#include <attnlab/observe/in_parts.hpp>

using namespace attnlab;

BOOST_AUTO_TEST_SUITE(in_parts)

namespace {
/// Shows each sequence by itself, its first token as the value.
class echo final : public language_model {
public:
    explicit echo(index_t width) { facts_.width = width, facts_.layers = 1; }
    model_facts const& facts() const override { return facts_; }
    void forward(ids x, any_observer& o) override {
        for (index_t n = 0; n < x.shape(0); ++n) {
            float value = static_cast<float>(x(n, 0));
            o.first_sequence = n;
            o(site::resid_post{}, 0, view<float, 3>(&value, {1, 1, 1}));
        }
    }
    tensor<double, 2> losses(ids x, ids, any_observer& o) override {
        forward(x, o);
        return tensor<double, 2>(x.shape(), 0.0);
    }
    tensor<float, 2> weight(index_t, std::string_view) override { return {}; }

private:
    model_facts facts_;
};

struct listener final : any_observer {
    std::vector<index_t> numbers;
    std::vector<float> values;
    bool asks(std::string_view site, index_t) const override { return site == site::resid_post::name; }
    void see(seen_site const& x) override {
        numbers.push_back(x.first_sequence), values.push_back(x.values[0]);
        x.alterable[0] = 7;
    }
};
}  // namespace

BOOST_AUTO_TEST_CASE(sequences_are_numbered_over_all_parts) {
    index_t const T = 4;
    echo model((index_t{1} << 27) / (2 * T));   // so wide that two sequences are a part
    tensor<std::int32_t, 2> x({5, T}, 0);
    for (index_t n = 0; n < 5; ++n) x(n, 0) = static_cast<std::int32_t>(10 * n);
    listener o;
    std::vector<index_t> sizes, firsts;
    attnlab::in_parts(model.facts(), x, o, [&](language_model::ids some, any_observer& part, index_t first) {
        model.forward(some, part);
        sizes.push_back(some.shape(0)), firsts.push_back(first);
    });
    BOOST_TEST(sizes == (std::vector<index_t>{2, 2, 1}), boost::test_tools::per_element());
    BOOST_TEST(firsts == (std::vector<index_t>{0, 2, 4}), boost::test_tools::per_element());
    BOOST_TEST(o.numbers == (std::vector<index_t>{0, 1, 2, 3, 4}), boost::test_tools::per_element());
    BOOST_TEST(o.values == (std::vector<float>{0, 10, 20, 30, 40}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
