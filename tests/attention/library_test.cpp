// The joints of the library: what each policy is, what it learns, and values of its formulas against the published ones.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <type_traits>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/attention/library.hpp>
#include <attnlab/attention/row_program.hpp>
#include <attnlab/core/gradient_check.hpp>
#include <attnlab/core/rng.hpp>

BOOST_AUTO_TEST_SUITE(library)

using namespace attnlab;

namespace {

using list = std::vector<std::string>;
using row_of_numbers = std::vector<double>;

constexpr head_sizes sizes{3, 4, 12};   // H, D, C
auto const near = boost::test_tools::tolerance(1e-12);

template <class P>
list names() {
    return {P::parameter_names.begin(), P::parameter_names.end()};
}
/// Shapes of all parameters for `sizes`, and their first values' mean and deviation.
template <class P>
std::vector<std::vector<index_t>> shapes() {
    return std::apply([](auto const&... p) { return std::vector<std::vector<index_t>>{p.shape(sizes)...}; }, P::parameters);
}
template <class P>
std::vector<initializer> starts() {
    return std::apply([](auto const&... p) { return std::vector<initializer>{p.init...}; }, P::parameters);
}

double logistic(double x) { return 1 / (1 + std::exp(-x)); }
double product(row_of_numbers const& a, row_of_numbers const& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
}
row_of_numbers numbers(index_t n, std::uint64_t seed) {
    row_of_numbers out;
    for (index_t i = 0; i < n; ++i) out.push_back(rng::normal(rng::stream(seed, "library"), static_cast<std::uint64_t>(i)));
    return out;
}

/// A row of head 1 at position 5 on which a joint's formula is run: D channels, or the scores of six keys.
template <class Policy>
struct a_row {
    static constexpr index_t D = 4, C = 12, keys = 6;
    index_t position = 5, heads = 3;
    double scale = 0.5, visible = 6;
    row_of_numbers source, query = numbers(D, 2), input = numbers(C, 3), log_normalizer{0.8}, tokens = numbers(keys, 4);
    std::vector<row_of_numbers> parameters, projections;
    row_of_numbers d_source, d_query = row_of_numbers(D), d_input = row_of_numbers(C), d_log_normalizer{0}, d_tokens = row_of_numbers(keys);
    std::vector<row_of_numbers> d_parameters, d_projections;

    explicit a_row(index_t length) : source(numbers(length, 1)), d_source(source.size()) {
        std::uint64_t seed = 5;
        auto const add = [&](auto const& p) {
            parameters.push_back(numbers(p.per_head({3, D, C}), seed++));
            d_parameters.emplace_back(parameters.back().size());
            projections.push_back(numbers(D, seed++));
            d_projections.emplace_back(D);
        };
        std::apply([&](auto const&... p) { (add(p), ...); }, Policy::parameters);
    }
    template <class Formula>
    row_of_numbers forward(Formula const& f) {
        row_of_numbers y(source.size());
        use([&](auto& point) { program_of<one_lane<double>, Policy>(f).forward(point, y.data()); });
        return y;
    }
    /// The gradients of one formula against differences of its values.
    template <class Formula>
    void check_gradients(Formula const& f) {
        auto const dy = numbers(static_cast<index_t>(source.size()), 99);
        use([&](auto& point) {
            program_of<one_lane<double>, Policy>(f).backward(point, dy.data());
            d_log_normalizer[0] = point.d_log_normalizer;
        });
        std::vector<checked_array> arrays{{"source", source, d_source}, {"query", query, d_query},    {"input", input, d_input},
                                          {"L", log_normalizer, d_log_normalizer}, {"tokens", tokens, d_tokens}};
        for (std::size_t i = 0; i < parameters.size(); ++i) {
            arrays.push_back({"parameter", parameters[i], d_parameters[i]});
            arrays.push_back({"projection", projections[i], d_projections[i]});
        }
        auto const report = check_gradient([&] { return product(forward(f), dy); }, arrays);
        BOOST_TEST_CONTEXT(report.line()) BOOST_TEST(report.worst < 1e-7);
    }
    double slot() {
        double share = 0;
        use([&](auto& point) { share = slot_share<one_lane<double>, Policy>(point); });
        return share;
    }

private:
    template <class Body>
    void use(Body body) {
        auto const pointers = [](auto& rows) {
            std::vector<double*> all;
            for (auto& r : rows) all.push_back(r.data());
            return all;
        };
        auto const p = pointers(parameters), dp = pointers(d_parameters), m = pointers(projections), dm = pointers(d_projections);
        row_point<double> r;
        r.source = source.data(), r.query = query.data(), r.input = input.data(), r.tokens = tokens.data();
        r.d_source = d_source.data(), r.d_query = d_query.data(), r.d_input = d_input.data(), r.d_query_tokens = r.d_key_tokens = d_tokens.data();
        r.log_normalizer = log_normalizer[0], r.scale = scale, r.visible = visible;
        r.values = p.data(), r.gradients = dp.data(), r.projections = m.data(), r.d_projections = dm.data();
        r.head_size = D, r.width = C, r.head = 1, r.heads = heads, r.position = position, r.keys = keys;
        body(r);
    }
};

/// One score of each key through a policy's score joints.
template <class Policy, class Expected>
void check_scores(a_row<Policy>& row, Expected expected) {
    auto const y = row.forward(Policy::score);
    for (index_t j = 0; j < row.keys; ++j)
        BOOST_TEST(y[static_cast<std::size_t>(j)] == expected(row.scale * row.source[static_cast<std::size_t>(j)], j), near);
    row.check_gradients(Policy::score);
}
template <class Expected>
void check_channels(row_of_numbers const& y, Expected expected) {
    for (std::size_t c = 0; c < y.size(); ++c) BOOST_TEST(y[c] == expected(c), near);
}

/// Weights of a row of scores as a kernel computes them: relative to the largest score, never below 0.
template <class Policy>
row_of_numbers weights(row_of_numbers const& scores, double length = 8) {
    double const m = std::max(0.0, *std::max_element(scores.begin(), scores.end()));
    expr::scalar_point<double> at{0, 0, m, std::exp(-m), length, static_cast<double>(scores.size())};
    double z = 0;
    for (double s : scores) at.score = s, z += expr::evaluate<void>(Policy::summand, at).value;
    at.sum = z;
    row_of_numbers w;
    for (double s : scores) at.score = s, w.push_back(expr::evaluate<void>(Policy::weight, at).value);
    return w;
}
row_of_numbers const some_scores{-1.5, 0, 0.7, 2.3, -0.2};

/// A normalised weighting, w = phi(s) / sum phi.
template <class Policy, class Phi>
void check_normalised(Phi phi) {
    static_assert(Policy::has_sum && Policy::one_pass && !Policy::has_threshold && !Policy::reads_length);
    auto const w = weights<Policy>(some_scores);
    double z = 0;
    for (double s : some_scores) z += phi(s);
    for (std::size_t j = 0; j < w.size(); ++j) BOOST_TEST(w[j] == phi(some_scores[j]) / z, near);
    for (double x : weights<Policy>({-1e4, -1e4})) BOOST_TEST(x == 0);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_number_as_template_argument) {
    static_assert(std::is_same_v<soft_cap<30>, soft_cap<30.0>>);
    static_assert(!std::is_same_v<soft_cap<30>, soft_cap<30.5>>);
    static_assert(real(-0.03) == -0.03);
    for (double x : {1e-12, 0.1, 0.5, 0.75, 1.0, 1.5, 2.0, 2.718, 1e3, 4096.0, 1e12}) BOOST_TEST(logarithm(x) == std::log(x), near);
    static_assert(logarithm(1) == 0);
}

BOOST_AUTO_TEST_CASE(weightings_with_a_sum) {
    check_normalised<attention<normalized_sigmoid>>(logistic);
    check_normalised<attention<softplus_attention>>([](double s) { return std::log1p(std::exp(s)); });
    check_normalised<attention<elu_attention>>([](double s) { return s > 0 ? s + 1 : std::exp(s); });
    auto const here = [](double s) { return expr::scalar_point<double>{s, 0, 0, 1, 0, 0}; };
    // one derivative on either side of elu's seam, and on it
    for (double s : {-2.0, 0.0, 0.7})
        BOOST_TEST(expr::evaluate<expr::score_tag>(attention<elu_attention>::summand, here(s)).derivative == std::exp(std::min(s, 0.0)), near);

    using one = attention<softmax1>;
    static_assert(one::has_sum && one::one_pass && !one::reads_length);
    double z = 0;
    for (double s : some_scores) z += std::exp(s);
    auto const w = weights<one>(some_scores);
    for (std::size_t j = 0; j < w.size(); ++j) BOOST_TEST(w[j] == std::exp(some_scores[j]) / (1 + z), near);
    BOOST_TEST(weights<one>({1e4, 0})[0] == 1);
    BOOST_TEST(weights<one>({-1e4, -1e4})[0] == 0);
}

BOOST_AUTO_TEST_CASE(softpick_and_clipped_softmax) {
    using pick = attention<softpick<>>;
    static_assert(pick::has_sum && pick::one_pass && !pick::reads_length);
    double m = 2.3, z = 0, p = 0;
    for (double s : some_scores) z += std::abs(std::exp(s - m) - std::exp(-m)), p += std::exp(s);
    auto const w = weights<pick>(some_scores);
    for (std::size_t j = 0; j < w.size(); ++j)
        BOOST_TEST(w[j] == std::max(std::exp(some_scores[j] - m) - std::exp(-m), 0.0) / (z + 1e-8), near);

    using clip = attention<clipped_softmax<1.1, -0.1>>;
    static_assert(clip::has_sum && !clip::one_pass && !clip::has_threshold && !clip::reads_length);
    static_assert(attention<clipped_softmax_by_length<2>>::reads_length);
    auto const c = weights<clip>(some_scores), t = weights<attention<clipped_softmax_by_length<2>>>(some_scores);
    for (std::size_t j = 0; j < c.size(); ++j) {
        BOOST_TEST(c[j] == std::clamp(1.2 * std::exp(some_scores[j]) / p - 0.1, 0.0, 1.0), near);
        BOOST_TEST(t[j] == std::clamp(1.25 * std::exp(some_scores[j]) / p - 0.25, 0.0, 1.0), near);
    }
    BOOST_TEST(c[0] == 0);
}

BOOST_AUTO_TEST_CASE(weightings_without_a_sum) {
    using linear = attention<relu_attention>;
    using squared = attention<relu_squared>;
    static_assert(linear::one_pass && !linear::has_sum && linear::reads_length && squared::one_pass && squared::reads_length);
    auto const w = weights<linear>(some_scores, 10), v = weights<squared>(some_scores, 10);
    for (std::size_t j = 0; j < w.size(); ++j) {
        double const s = std::max(some_scores[j], 0.0);
        BOOST_TEST(w[j] == s / 10, near);
        BOOST_TEST(v[j] == s * s / 10, near);
    }
    using sigmoids = attention<learned_bias<1024>, plain_sigmoid>;
    static_assert(sigmoids::one_pass && !sigmoids::has_sum && !sigmoids::reads_length && sigmoids::has_score);
    BOOST_TEST(weights<sigmoids>({0.3})[0] == logistic(0.3), near);
    BOOST_TEST(starts<sigmoids>()[0].mean == -std::log(1024.0), near);
    BOOST_TEST(starts<sigmoids>()[0].deviation == 0);
}

BOOST_AUTO_TEST_CASE(weightings_with_a_threshold) {
    using projection = attention<sparsemax>;
    using between = attention<entmax15>;
    static_assert(projection::has_threshold && !projection::one_pass && !projection::has_sum && between::has_threshold);
    auto const share = [](auto const& weight, double s, double t) {
        return expr::evaluate<void>(weight, expr::scalar_point<double>{s, t, 0, 1, 0, 0}).value;
    };
    // of (0.6, 0.2, -1): t = -0.1
    BOOST_TEST(share(projection::weight, 0.6, -0.1) == 0.7, near);
    BOOST_TEST(share(projection::weight, 0.2, -0.1) == 0.3, near);
    BOOST_TEST(share(projection::weight, -1, -0.1) == 0);
    // of (1, 0): (1/2 - tau)^2 + tau^2 = 1
    double const tau = (1 - std::sqrt(7.0)) / 4;
    BOOST_TEST(share(between::weight, 1, 2 * tau) == (0.5 - tau) * (0.5 - tau), near);
    BOOST_TEST(share(between::weight, 1, 2 * tau) + share(between::weight, 0, 2 * tau) == 1, near);
}

BOOST_AUTO_TEST_CASE(scores_scaled_and_capped) {
    using warm = attention<temperature, softmax>;
    BOOST_TEST((names<warm>() == list{"temperature"}));
    BOOST_TEST((shapes<warm>()[0] == std::vector<index_t>{3}));
    BOOST_TEST(starts<warm>()[0].mean == 1);
    a_row<warm> w(6);
    check_scores(w, [&](double s, index_t) { return s * w.parameters[0][0]; });

    using growing = attention<scalable_softmax<>, softmax>;
    static_assert(growing::rows_read_lengths && !growing::reads_length);
    BOOST_TEST((names<growing>() == list{"ssmax_scale"}));
    BOOST_TEST(starts<growing>()[0].mean == 0.43);
    a_row<growing> g(6);
    check_scores(g, [&](double s, index_t) { return s * g.parameters[0][0] * std::log(6.0); });

    using capped = attention<soft_cap<2>, softmax>;
    static_assert(capped::parameter_count == 0 && capped::one_pass && capped::has_score);
    a_row<capped> c(6);
    check_scores(c, [](double s, index_t) { return 2 * std::tanh(s / 2); });

    a_row<attention<learned_bias<7>, softmax>> b(6);
    BOOST_TEST((shapes<attention<learned_bias<7>, softmax>>()[0] == std::vector<index_t>{3}));
    check_scores(b, [&](double s, index_t) { return s + b.parameters[0][0]; });
}

BOOST_AUTO_TEST_CASE(alibi_slopes_and_scores) {
    alibi_slope const slope;
    for (double h = 0; h < 8; ++h) BOOST_TEST(slope(h, 8) == std::exp2(-h - 1));
    row_of_numbers const twelve{0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125, 0.00390625,
                                0.7071067811865476, 0.35355339059327384, 0.17677669529663692, 0.08838834764831849};
    for (std::size_t h = 0; h < 12; ++h) BOOST_TEST(slope(static_cast<double>(h), 12) == twelve[h], near);
    BOOST_TEST(slope(0, 1) == std::exp2(-8.0));
    using p = attention<alibi, softmax>;
    static_assert(p::parameter_count == 0 && p::has_score && !p::rows_read_lengths);
    a_row<p> r(6);
    r.heads = 8;
    check_scores(r, [](double s, index_t j) { return s - 0.25 * static_cast<double>(5 - j); });
    r.position = 2;   // keys ahead are as far as keys behind
    auto const y = r.forward(p::score);
    BOOST_TEST(y[5] == 0.5 * r.source[5] - 0.75, near);
}

BOOST_AUTO_TEST_CASE(t5_buckets_and_scores) {
    // where T5's code (32 buckets, 128) begins a new bucket
    std::vector<index_t> const begins{0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                      16, 19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113};
    t5_bucket<32, 128> const bucket;
    for (index_t d = 0; d <= 200; ++d)
        BOOST_TEST(bucket(d) == std::upper_bound(begins.begin(), begins.end(), d) - begins.begin() - 1);
    BOOST_TEST(bucket(-3) == 0);
    BOOST_TEST(bucket(1000000) == 31);
    using p = attention<t5_bias<4, 5>, softmax>;
    BOOST_TEST((names<p>() == list{"relative_attention_bias"}));
    BOOST_TEST((shapes<p>()[0] == std::vector<index_t>{3, 4}));
    BOOST_TEST(starts<p>()[0].deviation == 0.02);
    a_row<p> r(6);
    check_scores(r, [&](double s, index_t j) { return s + r.parameters[0][static_cast<std::size_t>(t5_bucket<4, 5>{}(5 - j))]; });
}

BOOST_AUTO_TEST_CASE(kerple_and_forgetting_scores) {
    using p = attention<kerple, softmax>;
    BOOST_TEST((names<p>() == list{"kerple_r1", "kerple_r2"}));
    auto const softplus_of = [](double x) { return std::log1p(std::exp(x)); };
    BOOST_TEST(softplus_of(starts<p>()[0].mean) == 1, near);
    BOOST_TEST(softplus_of(starts<p>()[1].mean) == 0.5, near);
    a_row<p> r(6);
    double const r1 = softplus_of(r.parameters[0][0]), r2 = softplus_of(r.parameters[1][0]);
    check_scores(r, [&](double s, index_t j) { return s - r1 * std::log(1 + r2 * static_cast<double>(5 - j)); });

    using f = attention<forgetting<>, softmax>;
    static_assert(f::has_tokens && f::reads_input && std::remove_const_t<decltype(f::tokens)>::scan);
    BOOST_TEST((names<f>() == list{"fgate_proj.weight", "fgate_proj.bias"}));
    BOOST_TEST((shapes<f>() == std::vector<std::vector<index_t>>{{3, 12}, {3}}));
    BOOST_TEST(starts<f>()[1].mean == 0);
    BOOST_TEST((starts<attention<forgetting<4>, softmax>>()[1].mean == 4));
    a_row<f> g(6);
    check_scores(g, [&](double s, index_t j) { return s + g.tokens[5] - g.tokens[static_cast<std::size_t>(j)]; });
    // the number of one token is log sigmoid(w.x + b)
    auto const gate = g.forward(f::tokens.a + expr::symbol<expr::source_tag, expr::length::keys>{} * 0);
    BOOST_TEST(gate[0] == std::log(logistic(product(g.parameters[0], g.input) + g.parameters[1][0])), near);
}

BOOST_AUTO_TEST_CASE(rope_turns_pairs_of_channels) {
    using half = attention<rope<>, softmax>;
    static_assert(half::has_query && half::has_key && !half::has_value && half::parameter_count == 0 && !half::keys_have_heads);
    static_assert(std::is_same_v<rope<>, rope<10000.0, 0, false>>);
    a_row<half> r(4);
    auto const y = r.forward(half::query);
    for (std::size_t p = 0; p < 2; ++p) {   // position 5, frequencies 1 and 1 / 100
        double const angle = p == 0 ? 5.0 : 0.05, a = r.source[p], b = r.source[p + 2];
        BOOST_TEST(y[p] == a * std::cos(angle) - b * std::sin(angle), near);
        BOOST_TEST(y[p + 2] == b * std::cos(angle) + a * std::sin(angle), near);
    }
    r.check_gradients(half::query);

    using neighbours = attention<rope<100, 2, true>, softmax>;
    a_row<neighbours> n(4);
    auto const z = n.forward(neighbours::key);
    BOOST_TEST(z[1] == n.source[1] * std::cos(5.0) + n.source[0] * std::sin(5.0), near);
    BOOST_TEST(z[2] == n.source[2]);
    BOOST_TEST(z[3] == n.source[3]);
    a_row<attention<rope<10000, 6>, softmax>> wide(4);
    BOOST_CHECK_THROW(wide.forward(attention<rope<10000, 6>, softmax>::query), error);
}

BOOST_AUTO_TEST_CASE(rope_frequencies_of_long_texts) {
    using plain = rope_frequencies<10000, 0, false>;
    BOOST_TEST(plain::frequency(3, plain::pairs(16)) == std::pow(10000.0, -6.0 / 16), near);
    using quarter = linear_scaled<plain, 4>;
    BOOST_TEST(quarter::frequency(3, quarter::pairs(16)) == std::pow(10000.0, -6.0 / 16) / 4, near);
    static_assert(std::is_base_of_v<rotary<quarter>, rope_linear<4>>);

    // transformers' _compute_llama3_parameters in double: base, factor 8, 1, 4, 8192 on 128 channels; and a small one
    using llama = llama3_scaled<rope_frequencies<500000, 0, false>, 8, 1, 4, 8192>;
    static_assert(std::is_base_of_v<rotary<llama>, rope_llama3<>>);
    std::vector<std::pair<index_t, double>> const published{
        {0, 1.0}, {20, 0.016560440080994446}, {28, 0.0032114459947525913}, {29, 0.002166570763503359}, {30, 0.0013718935677611381},
        {32, 0.0005248461609929547}, {34, 0.00017850781276799638}, {35, 9.556212353964683e-05}, {63, 3.068925988914511e-07}};
    for (auto const& [pair, f] : published) BOOST_TEST(llama::frequency(pair, llama::pairs(128)) == f, boost::test_tools::tolerance(1e-11));
    using small = llama3_scaled<plain, 4, 1, 4, 32>;
    row_of_numbers const eight{1.0,    0.12732395447351627,   0.025,   0.007905694150420948,
                               0.0025, 0.0007905694150420947, 0.00025, 7.905694150420948e-05};
    for (index_t p = 0; p < 8; ++p)
        BOOST_TEST(small::frequency(p, small::pairs(16)) == eight[static_cast<std::size_t>(p)], boost::test_tools::tolerance(1e-11));
}

BOOST_AUTO_TEST_CASE(norms_of_query_and_key) {
    using rms = attention<qk_norm<>, softmax>;
    static_assert(!rms::keys_have_heads);
    BOOST_TEST((names<rms>() == list{"q_norm", "k_norm"}));
    BOOST_TEST((shapes<rms>() == std::vector<std::vector<index_t>>{{4}, {4}}));
    BOOST_TEST(starts<rms>()[1].mean == 1);
    a_row<rms> r(4);
    double const length = std::sqrt(product(r.source, r.source) / 4 + 1e-6);
    check_channels(r.forward(rms::query), [&](std::size_t c) { return r.parameters[0][c] * r.source[c] / length; });
    check_channels(r.forward(rms::key), [&](std::size_t c) { return r.parameters[1][c] * r.source[c] / length; });
    r.check_gradients(rms::query);

    using cosine = attention<qk_norm_l2<128>, softmax>;
    static_assert(!cosine::keys_have_heads);
    BOOST_TEST((names<cosine>() == list{"qk_scale"}));
    BOOST_TEST(starts<cosine>()[0].mean == std::log2(128.0 * 127), near);
    a_row<cosine> u(4);
    double const norm = std::sqrt(product(u.source, u.source) + 1e-12);
    check_channels(u.forward(cosine::query), [&](std::size_t c) { return u.parameters[0][0] * u.source[c] / norm / 0.5; });
    check_channels(u.forward(cosine::key), [&](std::size_t c) { return u.source[c] / norm; });
    u.check_gradients(cosine::query);
}

BOOST_AUTO_TEST_CASE(values_gated_scaled_and_exponentiated) {
    using gate = attention<value_gate, softmax>;
    static_assert(gate::has_value && !gate::has_query && gate::keys_have_heads);
    BOOST_TEST((names<gate>() == list{"value_gate.weight", "value_gate.bias"}));
    a_row<gate> r(4);
    double const g = logistic(product(r.parameters[0], r.source) + r.parameters[1][0]);
    check_channels(r.forward(gate::value), [&](std::size_t c) { return g * r.source[c]; });
    r.check_gradients(gate::value);

    using scaled = attention<value_scale<0.25>, softmax>;
    a_row<scaled> s(4);
    BOOST_TEST(s.forward(scaled::value) == s.source);
    row_point<double> point;
    row_of_numbers const dy{1, 2, 3, 4};
    point.source = s.source.data(), point.d_source = s.d_source.data(), point.head_size = 4;
    program_of<one_lane<double>, scaled>(scaled::value).backward(point, dy.data());
    check_channels(s.d_source, [&](std::size_t c) { return 0.25 * dy[c]; });

    using laser = attention<laser_exp, softmax, laser_log>;
    static_assert(laser::has_value && laser::has_output && laser::one_pass);
    a_row<laser> e(4);
    check_channels(e.forward(laser::value), [&](std::size_t c) { return std::exp(e.source[c]); });
}

BOOST_AUTO_TEST_CASE(outputs_that_take_a_share) {
    using one = attention<softmax, sink>;
    static_assert(one::has_slot && one::has_output && one::reads_log_normalizer && !one::reads_input);
    BOOST_TEST((names<one>() == list{"sink"}));
    BOOST_TEST((shapes<one>()[0] == std::vector<index_t>{3}));
    BOOST_TEST(starts<one>()[0].deviation == 0.02);
    a_row<one> r(4);
    double const left = logistic(0.8 - r.parameters[0][0]);
    check_channels(r.forward(one::output), [&](std::size_t c) { return left * r.source[c]; });
    BOOST_TEST(r.slot() == 1 - left, near);
    r.check_gradients(one::output);

    using key = attention<softmax, key_bias>;
    static_assert(key::has_slot);
    BOOST_TEST((names<key>() == list{"k_bias"}));
    BOOST_TEST((shapes<key>()[0] == std::vector<index_t>{1, 3, 1, 4}));
    a_row<key> k(4);
    double const p0 = logistic(0.5 * product(k.query, k.parameters[0]) - 0.8);
    check_channels(k.forward(key::output), [&](std::size_t c) { return (1 - p0) * k.source[c]; });
    BOOST_TEST(k.slot() == p0, near);
    k.check_gradients(key::output);
}

BOOST_AUTO_TEST_CASE(outputs_that_gate) {
    using head = attention<softmax, head_gate>;
    static_assert(head::reads_input && !head::has_projections && !head::has_slot && !head::reads_log_normalizer);
    BOOST_TEST((names<head>() == list{"gate_w"}));
    BOOST_TEST((shapes<head>()[0] == std::vector<index_t>{3, 12}));
    a_row<head> h(4);
    check_channels(h.forward(head::output), [&](std::size_t c) { return logistic(product(h.parameters[0], h.input)) * h.source[c]; });
    h.check_gradients(head::output);

    using element = attention<softmax, element_gate>;
    static_assert(element::reads_input && element::has_projections);
    BOOST_TEST((names<element>() == list{"gate_w"}));
    BOOST_TEST((shapes<element>()[0] == std::vector<index_t>{12, 12}));
    a_row<element> e(4);
    check_channels(e.forward(element::output), [&](std::size_t c) { return logistic(e.projections[0][c]) * e.source[c]; });
    e.check_gradients(element::output);

    using part = attention<softmax, head_input_gate<0.25>>;
    static_assert(part::reads_head_input && part::reads_input);
    BOOST_TEST((names<part>() == list{"head_gate.weight", "head_gate.bias"}));
    BOOST_TEST((shapes<part>() == std::vector<std::vector<index_t>>{{1, 3, 1, 4}, {3}}));
    BOOST_TEST(logistic(starts<part>()[1].mean) == 0.25, near);
    a_row<part> p(4);
    row_of_numbers const own(p.input.begin() + 4, p.input.begin() + 8);   // head 1
    double const g = logistic(product(p.parameters[0], own) + p.parameters[1][0]);
    check_channels(p.forward(part::output), [&](std::size_t c) { return g * p.source[c]; });
    p.check_gradients(part::output);
}

BOOST_AUTO_TEST_CASE(joints_of_all_kinds_compose) {
    using p = attention<qk_norm<>, rope<>, value_gate, temperature, soft_cap<50>, alibi, both<document, sliding_window<8>>, softpick<>,
                        attention_bias, element_gate>;
    static_assert(p::has_prologue && p::has_score && p::has_slot && p::has_projections && p::one_pass && reads_documents<p::mask>);
    BOOST_TEST((names<p>() ==
                list{"q_norm", "k_norm", "value_gate.weight", "value_gate.bias", "temperature", "k_bias", "v_bias", "gate_w"}));
}

BOOST_AUTO_TEST_SUITE_END()
