// Every rule against its definition written out, on random arrays; and the same set from any split of sequences and layers.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/analysis/outliers.hpp>
#include <attnlab/core/rng.hpp>

BOOST_AUTO_TEST_SUITE(outlier_rules)

using namespace attnlab;
namespace tt = boost::test_tools;

namespace {

constexpr index_t L = 4, B = 5, T = 9, C = 8, H = 3, D = 8;
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();

/// Tensors of L layers, drawn with heavy tails: cubes of normal numbers, with a NaN and an infinity.
struct data {
    std::vector<std::vector<double>> layers;
    std::vector<index_t> shape;   // of a layer: sequences first
    data(std::vector<index_t> shape_, char const* seed, bool whole = false) : shape(std::move(shape_)) {
        std::uint64_t n = 1, at = 0;
        for (index_t s : shape) n *= static_cast<std::uint64_t>(s);
        auto const key = rng::stream(11, seed);
        for (index_t l = 0; l < L; ++l) {
            auto& x = layers.emplace_back();
            for (std::uint64_t i = 0; i < n; ++i) x.push_back(std::pow(rng::normal(key, at++), 3));
            if (!whole) x[n / 3] = nan_value, x[n / 2] = -inf;
        }
    }
    index_t stride() const {
        index_t n = 1;
        for (std::size_t a = 1; a < shape.size(); ++a) n *= shape[a];
        return n;
    }
    double const* at(index_t layer, index_t sequence) const {
        return layers[static_cast<std::size_t>(layer)].data() + sequence * stride();
    }
};

data rows(char const* seed) { return {{B, T, C}, seed}; }
/// Causal weights whose rows add up to 1, one of them NaN.
data patterns() {
    data d({B, H, T, T}, "patterns", true);
    for (auto& layer : d.layers)
        for (index_t row = 0; row < B * H * T; ++row) {
            double* p = layer.data() + row * T;
            double sum = 0;
            for (index_t j = 0; j < T; ++j) sum += p[j] = j <= row % T ? std::exp(std::abs(p[j]) / 4 + (j == 2 || j == 0)) : 0;
            for (index_t j = 0; j < T; ++j) p[j] /= sum;
        }
    d.layers[1][3 * T * T + 4 * T + 2] = nan_value;
    return d;
}

/// What a rule finds in sequences [from, to) of the layers that pass `wanted`, one batch of `batch` after the other.
template <class Site, class Rule, class Wanted>
auto part(Rule const& rule, data const& d, index_t from, index_t to, index_t batch, Wanted wanted) {
    using finder = outlier_finder<double, Rule, Site>;
    finder f(rule, {.layers = L}, from);
    for (index_t b = from; b < to; b += batch)
        for (index_t l = L - 1; l >= 0; --l) {
            if (!wanted(l)) continue;
            std::array<index_t, finder::rank> shape;
            std::copy(d.shape.begin(), d.shape.end(), shape.begin());
            shape[0] = std::min(batch, to - b);
            f(Site{}, l, view<double const, finder::rank>(d.at(l, b), shape));
        }
    return f;
}

/// The whole set, after making sure that every split gives it.
template <class Site, class Rule>
auto found(Rule const& rule, data const& d) {
    auto const all = [](index_t) { return true; };
    auto const whole = part<Site>(rule, d, 0, B, B, all).set();
    auto const same = [&](auto const& f, std::string const& how) {
        auto const s = f.set();
        BOOST_TEST((s == whole), Rule::name << " differs in " << how);
        BOOST_TEST((s.ranges() == whole.ranges()), Rule::name << " has another space in " << how);
        BOOST_TEST((s.about() == whole.about()), Rule::name << " has another origin in " << how);
        for (std::size_t i = 0; i < s.size(); ++i)
            BOOST_TEST(s.elements()[i].value == whole.elements()[i].value, tt::tolerance(1e-12));
    };
    for (index_t cut = 1; cut < B; ++cut) {
        auto early = part<Site>(rule, d, 0, cut, 2, all), late = part<Site>(rule, d, cut, B, 3, all);
        auto backwards = late;
        backwards.merge(early), early.merge(late);
        same(early, "two parts"), same(backwards, "two parts, the later first");
    }
    auto odd = part<Site>(rule, d, 0, B, 1, [](index_t l) { return l % 2 == 1; });
    BOOST_CHECK_THROW(odd.merge(odd), error);   // a sequence twice
    odd.merge(part<Site>(rule, d, 0, B, B, [](index_t l) { return l % 2 == 0; }));
    same(odd, "parts by layer");
    return whole;
}

double lower_middle(std::vector<double> x) {
    std::sort(x.begin(), x.end());
    return x[(x.size() - 1) / 2];
}

/// The finite values of one layer of one sequence.
std::vector<double> finite(data const& d, index_t l, index_t b) {
    std::vector<double> out;
    std::copy_if(d.at(l, b), d.at(l, b) + d.stride(), std::back_inserter(out), [](double x) { return std::isfinite(x); });
    return out;
}
double mean(std::vector<double> const& x) {
    double sum = 0;
    for (double v : x) sum += v;
    return sum / static_cast<double>(x.size());
}
std::vector<double> magnitudes(std::vector<double> x) {
    for (double& v : x) v = std::abs(v);
    return x;
}

using token_coordinates = std::vector<std::array<index_t, 4>>;
/// (sequence, layer, token, channel) of all values that `is_one(value, layer, sequence)`.
template <class Test>
token_coordinates by_value(data const& d, Test is_one) {
    token_coordinates out;
    for (index_t b = 0; b < B; ++b)
        for (index_t l = 0; l < L; ++l)
            for (index_t i = 0; i < d.stride(); ++i)
                if (double const x = d.at(l, b)[i]; std::isfinite(x) && is_one(x, l, b)) out.push_back({b, l, i / C, i % C});
    return out;
}

template <class Set, class Coordinates>
void check(Set const& set, Coordinates const& expected) {
    BOOST_TEST(!expected.empty(), "the test has no outlier to find");
    BOOST_TEST((set.coordinates() == expected), set.about().rule << " found " << set.size() << ", expected " << expected.size());
}

}  // namespace

BOOST_AUTO_TEST_CASE(massive_activations) {
    auto const d = rows("massive");
    massive rule{.above = 3, .factor = 20};
    auto const s = found<site::resid_post>(rule, d);
    check(s, by_value(d, [&](double x, index_t l, index_t b) {
              return std::abs(x) > 3 && std::abs(x) >= 20 * lower_middle(magnitudes(finite(d, l, b)));
          }));
    BOOST_TEST(s.about().not_finite == 2 * L);
    BOOST_TEST(s.about().values == L * B * T * C - 2 * L);
    BOOST_TEST(s.about().sequences == B);
    BOOST_TEST(s.about().length == T);
    BOOST_TEST(s.about().dtype == "float64");
    BOOST_TEST(s.about().site == "hook_resid_post");

    rule.median_over = massive::scope::corpus;
    std::map<index_t, double> medians;
    for (index_t l = 0; l < L; ++l) {
        std::vector<double> all;
        for (index_t b = 0; b < B; ++b)
            for (double x : finite(d, l, b)) all.push_back(std::abs(x));
        medians[l] = lower_middle(all);
    }
    // The histogram's median is right to 0.1 %: no value of this test is so near to 20 of them.
    check(found<site::resid_post>(rule, d),
          by_value(d, [&](double x, index_t l, index_t) { return std::abs(x) > 3 && std::abs(x) >= 20 * medians[l]; }));
}

BOOST_AUTO_TEST_CASE(the_exact_tests_of_massive) {
    auto const count = [](std::vector<float> const& x, massive rule) {
        outlier_finder<float, massive, site::resid_post> f(rule);
        f(site::resid_post{}, 0, view<float const, 3>(x.data(), {1, 1, static_cast<index_t>(x.size())}));
        return f.set().size();
    };
    BOOST_TEST(count({100, .1f, .1f}, {}) == 0u);       // > 100, not >=
    BOOST_TEST(count({100.5f, .1f, .1f}, {}) == 1u);
    BOOST_TEST(count({128, .125f, .125f}, {.factor = 1024}) == 1u);   // >= 1024 medians
    BOOST_TEST(count({128, .125f, .125f}, {.factor = 1025}) == 0u);
    BOOST_TEST(count({std::numeric_limits<float>::infinity(), .1f, .1f}, {}) == 0u);
}

BOOST_AUTO_TEST_CASE(ratio_to_the_mean) {
    auto const d = rows("mean");
    auto const s = found<site::mlp_post>(mean_ratio{.factor = 6}, d);
    check(s, by_value(d, [&](double x, index_t l, index_t b) { return std::abs(x) > 6 * mean(magnitudes(finite(d, l, b))); }));
    // Its tokens are what outlier_tokens counts.
    index_t tokens = 0;
    for (index_t l = 0; l < L; ++l)
        for (index_t b = 0; b < B; ++b) tokens += outlier_tokens(view<double const, 2>(d.at(l, b), {T, C}), 6);
    BOOST_TEST((s.project<axis::sequence, axis::layer, axis::token>().size() == static_cast<std::size_t>(tokens)));
    static_assert(
        std::is_same_v<std::remove_const_t<decltype(s)>, outlier_set<axis::sequence, axis::layer, axis::token, axis::neuron>>);
}

BOOST_AUTO_TEST_CASE(tails) {
    auto const d = rows("tails");
    check(found<site::resid_post>(z_score{.deviations = 3}, d), by_value(d, [&](double x, index_t l, index_t b) {
              auto const all = finite(d, l, b);
              double const m = mean(all);
              double squares = 0;
              for (double v : all) squares += (v - m) * (v - m) / static_cast<double>(all.size());
              return std::abs(x - m) > 3 * std::sqrt(squares);
          }));
    auto const top = found<site::resid_post>(top_fraction{.fraction = .05}, d);
    check(top, by_value(d, [&](double x, index_t l, index_t b) {
              auto all = magnitudes(finite(d, l, b));
              std::sort(all.rbegin(), all.rend());
              return std::abs(x) >= all[static_cast<std::size_t>(std::ceil(.05 * static_cast<double>(all.size()))) - 1];
          }));
    BOOST_TEST(found<site::resid_post>(top_fraction{.fraction = 0}, d).empty());
    std::vector<double> hundred(100);
    for (std::size_t i = 0; i < 100; ++i) hundred[i] = static_cast<double>(i);
    BOOST_TEST(top_fraction{.fraction = .07}.reduce(0, view<double const, 2>(hundred.data(), {10, 10})).found.size() == 7u);
    BOOST_CHECK_THROW(found<site::resid_post>(top_fraction{.fraction = 2}, d), error);
}

BOOST_AUTO_TEST_CASE(robust_deviations) {
    auto const d = rows("robust");
    for (bool of_magnitudes : {false, true}) {
        robust const rule{.factor = 25, .above = 2, .of_magnitudes = of_magnitudes, .layers_share = .5, .most_channels = 3};
        auto const deviates = [&](double x, index_t l, index_t b) {
            auto all = of_magnitudes ? magnitudes(finite(d, l, b)) : finite(d, l, b);
            double const median = lower_middle(all);
            for (double& v : all) v = std::abs(v - median);
            return std::abs((of_magnitudes ? std::abs(x) : x) - median) > 25 * lower_middle(all) && std::abs(x) > 2;
        };
        auto const first = by_value(d, deviates);
        std::map<std::pair<index_t, index_t>, std::set<index_t>> channels, layers;
        for (auto const& c : first) channels[{c[0], c[1]}].insert(c[3]);
        for (auto const& c : first)
            if (channels[{c[0], c[1]}].size() <= 3) layers[{c[0], c[3]}].insert(c[1]);
        token_coordinates expected;
        for (auto const& c : first)
            if (channels[{c[0], c[1]}].size() <= 3 && layers[{c[0], c[3]}].size() >= 2) expected.push_back(c);
        BOOST_TEST(expected.size() < first.size());
        check(found<site::resid_post>(rule, d), expected);
    }
}

BOOST_AUTO_TEST_CASE(features_of_llm_int8) {
    auto d = rows("int8");
    for (index_t i = 0; i < B * T * C; i += C)
        d.layers[2][static_cast<std::size_t>(i)] = 5, d.layers[0][static_cast<std::size_t>(i + 1)] = -9;
    for (auto pool : {llm_int8::pool::all_layers, llm_int8::pool::layers_that_pass}) {
        llm_int8 const rule{.threshold = 5, .layers_share = .5, .positions_share = .1, .positions_of = pool};
        std::vector<std::array<index_t, 1>> expected;
        for (index_t c = 0; c < C; ++c) {
            double layers = 0, hits = 0, positions = 0;
            for (index_t l = 0; l < L; ++l) {
                double here = 0;
                for (index_t b = 0; b < B; ++b)
                    for (index_t t = 0; t < T; ++t) {
                        double const x = d.at(l, b)[t * C + c];
                        here += std::isfinite(x) && std::abs(x) >= 5;
                    }
                layers += here > 0, hits += here;
                if (here > 0 || pool == llm_int8::pool::all_layers) positions += B * T;
            }
            if (layers / L >= .5 && hits / positions >= .1) expected.push_back({c});
        }
        BOOST_TEST(expected.size() < static_cast<std::size_t>(C));
        check(found<site::ln1_normalized>(rule, d), expected);
    }
}

BOOST_AUTO_TEST_CASE(sinks) {
    auto const d = patterns();
    for (index_t length : {index_t{5}, index_t{64}}) {
        std::vector<std::array<index_t, 4>> expected;
        index_t const used = std::min(length, T);
        for (index_t b = 0; b < B; ++b)
            for (index_t l = 0; l < L; ++l)
                for (index_t h = 0; h < H; ++h)
                    for (index_t j = 0; j < used; ++j) {
                        double sum = 0;
                        for (index_t i = j; i < used; ++i)
                            if (double const p = d.at(l, b)[(h * T + i) * T + j]; std::isfinite(p)) sum += p;
                        if (sum / static_cast<double>(used - j) > .3) expected.push_back({b, l, h, j});
                    }
        auto const s = found<site::pattern>(sink_rule{.length = length}, d);
        check(s, expected);
        if (length > T) BOOST_TEST(s.about().not_finite == 1);
    }
}

BOOST_AUTO_TEST_CASE(columns_of_attention) {
    auto const d = patterns();
    for (bool normalised : {false, true}) {
        std::vector<std::array<index_t, 3>> mean_of_heads;
        std::vector<std::array<index_t, 4>> each_head;
        data sums({B, H, T}, "sums", true);
        for (index_t b = 0; b < B; ++b)
            for (index_t l = 0; l < L; ++l)
                for (index_t j = 0; j < T; ++j) {
                    double const queries = static_cast<double>(normalised ? T - j : T);
                    double mean = 0;
                    for (index_t h = 0; h < H; ++h) {
                        double a = 0;
                        for (index_t i = 0; i < T; ++i)
                            if (double const p = d.at(l, b)[(h * T + i) * T + j]; std::isfinite(p)) a += p;
                        if (a >= .2 * queries) each_head.push_back({b, l, h, j});
                        mean += a / H;
                        sums.layers[static_cast<std::size_t>(l)][static_cast<std::size_t>((b * H + h) * T + j)] = a;
                    }
                    if (mean >= .2 * queries) mean_of_heads.push_back({b, l, j});
                }
        std::sort(each_head.begin(), each_head.end());
        attention_column const rule{.share = .2, .normalised = normalised};
        attention_column_per_head const per_head{.share = .2, .normalised = normalised};
        check(found<site::pattern>(rule, d), mean_of_heads);
        check(found<site::pattern>(per_head, d), each_head);
        check(found<site::pattern_sums>(rule, sums), mean_of_heads);   // the same from a kernel's by-product
        check(found<site::pattern_sums>(per_head, sums), each_head);
    }
    data const sums({B, H, T}, "sums", true);
    BOOST_CHECK_THROW(found<site::pattern_sums>(sink_rule{.length = 5}, sums), error);
    BOOST_CHECK_THROW(found<site::pattern_sums>(sink_rule{.absolute = true}, sums), error);
}

BOOST_AUTO_TEST_CASE(massive_queries) {
    data const d({B, H, T, D}, "queries");
    std::vector<std::array<index_t, 3>> expected;
    for (index_t l = 0; l < L; ++l)
        for (index_t h = 0; h < H; ++h) {
            std::vector<double> m(D);
            for (index_t c = 0; c < D; ++c) {
                for (index_t b = 0; b < B; ++b)
                    for (index_t t = 0; t < T; ++t)
                        if (double const x = d.at(l, b)[(h * T + t) * D + c]; std::isfinite(x))
                            m[static_cast<std::size_t>(c)] += x * x;
                m[static_cast<std::size_t>(c)] = std::sqrt(m[static_cast<std::size_t>(c)]);
            }
            for (index_t c = 0; c < D; ++c)
                if (m[static_cast<std::size_t>(c)] > 1.2 * mean(m)) expected.push_back({l, h, c});
        }
    check(found<site::q>(qk_massive{.factor = 1.2}, d), expected);
}

namespace {
/// (layer, row, column) of a rule in L random weights of T x C, in whole and from two parts.
auto in_weights(weight_ratio rule, data const& d) {
    using finder = outlier_finder<double, weight_ratio, site::weight<"mlp.down_proj">>;
    finder whole(rule), a(rule), b(rule);
    for (index_t l = 0; l < L; ++l) {
        view<double const, 2> const w(d.at(l, 0), {T, C});
        whole({}, l, w), (l < 2 ? a : b)({}, l, w);
    }
    BOOST_CHECK_THROW(whole({}, 0, view<double const, 2>(d.at(0, 0), {T, C})), error);
    b.merge(a);
    BOOST_TEST((b.set() == whole.set()));
    BOOST_TEST(whole.set().about().sequences == 0);
    BOOST_TEST(whole.set().about().not_finite == 2 * L);
    return whole.set();
}
}  // namespace

BOOST_AUTO_TEST_CASE(ratios_of_weights) {
    data const d({1, T, C}, "weights");
    auto const weight = [&](index_t l, index_t o, index_t i) { return std::abs(d.at(l, 0)[o * C + i]); };
    for (line along : {line::column, line::row}) {
        std::vector<std::array<index_t, 3>> every, largest;
        for (index_t l = 0; l < L; ++l) {
            std::vector<std::tuple<double, index_t, index_t>> lines;   // ratio; row and column of the largest
            for (index_t n = 0; n < (along == line::column ? C : T); ++n) {
                std::vector<double> values;
                std::tuple<double, index_t, index_t> top{0, 0, 0};
                for (index_t m = 0; m < (along == line::column ? T : C); ++m) {
                    auto const [o, i] = along == line::column ? std::pair(m, n) : std::pair(n, m);
                    if (double const x = weight(l, o, i); std::isfinite(x)) values.push_back(x), top = std::max(top, {x, o, i});
                }
                for (index_t m = 0; m < (along == line::column ? T : C); ++m) {
                    auto const [o, i] = along == line::column ? std::pair(m, n) : std::pair(n, m);
                    if (double const x = weight(l, o, i); std::isfinite(x) && x > 3 * (mean(values) + 1e-8))
                        every.push_back({l, o, i});
                }
                lines.emplace_back(std::get<0>(top) / (mean(values) + 1e-8), std::get<1>(top), std::get<2>(top));
            }
            std::sort(lines.rbegin(), lines.rend());
            for (int n = 0; n < 3; ++n)
                largest.push_back(
                    {l, std::get<1>(lines[static_cast<std::size_t>(n)]), std::get<2>(lines[static_cast<std::size_t>(n)])});
        }
        std::sort(every.begin(), every.end()), std::sort(largest.begin(), largest.end());
        check(in_weights({.factor = 3, .along = along}, d), every);
        check(in_weights({.factor = 0, .top = 3, .along = along}, d), largest);
    }
}

BOOST_AUTO_TEST_CASE(super_weights) {
    auto const in = rows("in"), out = rows("out");
    massive const rule{.above = 2, .factor = 10};
    auto const a = found<site::mlp_post>(rule, in);
    auto const b = found<site::mlp_out>(rule, out);
    std::map<std::array<index_t, 3>, double> pairs;
    for (auto const& x : a)
        for (auto const& y : b)
            if (std::equal(x.at.begin(), x.at.begin() + 3, y.at.begin())) {
                double& value = pairs[{x.at[1], y.at[3], x.at[3]}];
                value = std::max(value, std::abs(x.value * y.value));
            }
    std::vector<std::array<index_t, 3>> all, largest;
    for (auto const& pair : pairs) {
        auto const beats = [&](auto const& other) { return other.first[0] == pair.first[0] && other.second > pair.second; };
        all.push_back(pair.first);
        if (std::none_of(pairs.begin(), pairs.end(), beats)) largest.push_back(pair.first);
    }
    check(super_weight{.largest_only = false}.find(a, b), all);
    check(super_weight{}.find(a, b), largest);
    BOOST_TEST(super_weight{}.find(a, b).about().site == "mlp.hook_post and hook_mlp_out");
    BOOST_CHECK_THROW(super_weight{}.find(a, found<site::mlp_out>(mean_ratio{}, out)), error);
}

BOOST_AUTO_TEST_CASE(what_a_set_tells_of_itself) {
    std::vector<float> const x(2 * 3 * 4, 1);
    outlier_finder<float, mean_ratio, site::resid_post> f({.factor = .5}, {.bos = false, .dtype = "bfloat16", .layers = 6});
    BOOST_CHECK_THROW(f.set(), error);
    watch(f, site::resid_mid{}, 2, view<float const, 3>(x.data(), {2, 3, 4}));   // as a model shows its sites
    watch(f, site::resid_post{}, 2, view<float const, 3>(x.data(), {2, 3, 4}));
    auto const s = f.set();
    BOOST_TEST(s.size() == 24u);
    BOOST_TEST(s.about().dtype == "bfloat16");
    BOOST_TEST((s.about().bos == false));
    BOOST_TEST((s.about().parameters == rule_parameters{{"factor", .5}}));
    BOOST_TEST((s.range<axis::layer>() == axis_range{6, 2, 3}));
    BOOST_TEST((s.range<axis::sequence>() == axis_range{2, 0, 2}));
    outlier_finder<float, mean_ratio, site::resid_post> other({.factor = .25});
    BOOST_CHECK_THROW(f.merge(other), error);
}

BOOST_AUTO_TEST_SUITE_END()
