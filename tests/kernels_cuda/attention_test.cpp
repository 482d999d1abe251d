// Attention on cuda: forward, backward and statistics against the reference and the cpu's kernel.
#include <algorithm>
#include <array>
#include <cmath>

#include "kernels_cuda/attention_policies.hpp"
#include "kernels_cuda/device.hpp"

#include <attnlab/kernels/check_policy.hpp>

#include "kernels/attention_checks.hpp"
#include "kernels/support.hpp"

namespace {

using namespace attnlab;
using attnlab::testing::device, attnlab::testing::random_inputs, attnlab::testing::check_near, attnlab::testing::head_sizes_on_cuda, attnlab::testing::joints_on_cuda, attnlab::testing::prologues_of_input_on_cuda, attnlab::testing::weightings_on_cuda;

call_sizes sizes(index_t B, index_t H, index_t T, index_t D, index_t H_kv = 0) {
    call_sizes n{B, H, T, D, H * D, 1 / std::sqrt(static_cast<double>(D))};
    n.H_kv = H_kv;
    return n;
}
/// Inputs of any sizes; `grid` as random_inputs has it.
template <class Policy>
attention_inputs inputs(call_sizes n, std::uint64_t seed, double grid = 8) {
    auto in = random_inputs<Policy>({n.B, n.H, n.T, n.D, n.width, n.scale}, seed, grid);
    in.n = n;
    if (n.kv_heads() != n.H)
        for (auto* x : {&in.k, &in.v}) *x = attnlab::testing::random(std::array{n.B, n.kv_heads(), n.T, n.D}, seed++);
    if (reads_documents<typename Policy::mask>)
        for (index_t b = 0; b < n.B; ++b)
            for (index_t t = 0; t < n.T; ++t) in.documents.push_back(t - t % 50);
    return in;
}
constexpr double float_tolerance = 5e-5, bfloat16_tolerance = 4e-2;

/// Every result near the reference's. Tensor cores multiply floats as pairs of tf32 (2^-21), or bfloat16 (2^-8).
template <class Policy, class Device>
void check(attention_inputs in, double tolerance, double unit) {
    auto const e = run_attention<Policy, ref, false>(in);
    auto const f = run_attention<Policy, Device, false>(in, attention_layout::packed);
    check_near("y", *f.y, *e.y, tolerance, 0.1), check_near("dq", *f.dq, *e.dq, tolerance, unit), check_near("dk", *f.dk, *e.dk, tolerance, unit);
    check_near("dv", *f.dv, *e.dv, tolerance, 0.1), check_near("dx", *f.d_input, *e.d_input, tolerance, unit);
    for (std::size_t i = 0; i < in.parameters.size(); ++i)
        check_near(text("gradient of ", Policy::parameter_names[i]), f.d_parameters[i], e.d_parameters[i], tolerance, unit);
}
/// Rows that lie rounded to bfloat16, as a layer has them, give what the same numbers as floats give, rounded: tiles read them there, unless they must be packed.
template <class Policy, class Device>
void check_rounded_rows(attention_inputs in) {
    in.products = precision::bfloat16;
    auto const e = run_attention<Policy, Device, false>(in, attention_layout::packed);
    attention_call<float> c(in, attention_layout::packed);
    std::vector<index_t> const one{in.n.H}, three{in.n.H, in.n.kv_heads(), in.n.kv_heads()};
    head_storage<bfloat16> qkv(in.n, attention_layout::packed, three), d_qkv(in.n, attention_layout::packed, three), y(in.n, attention_layout::packed, one),
        dy(in.n, attention_layout::packed, one);
    auto const put = [](heads<bfloat16> const& to, tensor<double, 4> const& from) {
        each_entry(from.shape(), [&](index_t b, index_t h, index_t t, index_t i) { to.row(b, h, t)[i] = bfloat16(static_cast<float>(from(b, h, t, i))); });
    };
    put(qkv.part(0), in.q), put(qkv.part(1), in.k), put(qkv.part(2), in.v), put(dy.part(0), in.dy);
    c.problem.q = qkv.part(0), c.problem.k = qkv.part(1), c.problem.v = qkv.part(2);
    c.gradients.q = d_qkv.part(0), c.gradients.k = d_qkv.part(1), c.gradients.v = d_qkv.part(2);
    buffer<bfloat16> input;
    for (float x : c.input) input.push_back(bfloat16(x));
    c.problem.rounded_input = input.data();
    buffer<bfloat16> d_input(static_cast<std::size_t>(c.results.d_input.size()), bfloat16(9));
    if (!Policy::rows_read_input) c.problem.input = c.gradients.input = nullptr, c.gradients.rounded_input = d_input.data();
    attention_saved<float> saved;
    attention_forward<Policy>(Device{}, c.problem, saved, y.part(0));
    attention_backward<Policy>(Device{}, c.problem, saved, y.part(0), dy.part(0), c.gradients);
    synchronize(Device{});
    auto const near = [](char const* what, tensor<bfloat16, 4> const& found, tensor<float, 4> const& expected) {
        std::vector<float> floats;
        for (bfloat16 x : *found) floats.push_back(static_cast<float>(x));
        check_near(what, floats, *expected, bfloat16_tolerance, 1);   // where all of a row cancels, what was rounded stays
    };
    near("y", y.take(0), e.y), near("dq", d_qkv.take(0), e.dq), near("dk", d_qkv.take(1), e.dk), near("dv", d_qkv.take(2), e.dv);
    double off = 0, all = 0;   // as a whole: a gate of what is rounded may be far from its slope at some tokens
    for (index_t i = 0; Policy::reads_input && i < e.d_input.size(); ++i) {
        double const x = e.d_input.data()[i], d = (Policy::rows_read_input ? c.results.d_input.data()[i] : static_cast<float>(d_input[static_cast<std::size_t>(i)])) - x;
        off += d * d, all += x * x;
    }
    BOOST_TEST(off <= 0.03 * 0.03 * all, "dx: off by " << std::sqrt(off / all) << " of its root mean square, expected at most 0.03");
    for (std::size_t i = 0; i < in.parameters.size(); ++i)
        check_near(text("gradient of ", Policy::parameter_names[i]), c.results.d_parameters[i], e.d_parameters[i], bfloat16_tolerance, 1);
}
/// Statistics of the weights near the cpu's.
template <class Policy, class Device>
void check_statistics(attention_inputs const& in, double tolerance) {
    attention_call<float> c(in, attention_layout::packed), d(in, attention_layout::packed);
    attention_saved<float> c_saved, d_saved;
    attention_statistics<float> found, expected;
    found.keys = expected.keys = {0, in.n.T / 2};
    attention_forward<Policy>(Device{}, c.problem, c_saved, c.y.part(0), found);
    synchronize(Device{});
    attention_forward<Policy>(cpu{}, d.problem, d_saved, d.y.part(0), expected);
    auto const compare = [&](char const* what, auto const& f, auto const& e) {
        std::vector<double> const doubles(e.data(), e.data() + e.size());
        check_near(what, view<float const, 1>(f.data(), {f.size()}), doubles, tolerance, 0.1);
    };
    compare("column sums", found.column_sums, expected.column_sums), compare("entropy", found.entropy, expected.entropy);
    compare("largest score", found.largest_score, expected.largest_score), compare("columns", found.columns, expected.columns);
}
/// Cumulative sums here reach some hundreds: scores that differ by them are known to 1e-4.
template <class Policy>
inline constexpr double tolerance_of = Policy::has_tokens ? 1e-3 : float_tolerance;

#ifdef ATTNLAB_TESTS_ON_GPU
using every_size = device;
#else
/// On the host, with every head size that a GPU's kernels are compiled for.
struct every_size : emulated_cuda {};
/// Reads x in another way than by products with what is learned.
struct length_gate {
    struct parameters {
        head_scalar<"sharpness"> sharpness{attnlab::constant(1)};
    };
    static constexpr auto output(auto const& row, auto const& p) { return sigmoid(p.sharpness * dot(row.input, row.input) / 100) * row.output; }
};
#endif

}  // namespace

#ifndef ATTNLAB_TESTS_ON_GPU
template <>
inline constexpr bool attnlab::is_cuda<every_size> = true;
#endif

BOOST_AUTO_TEST_SUITE(attention_on_cuda)

BOOST_AUTO_TEST_CASE_TEMPLATE(weightings_are_the_references, Policy, weightings_on_cuda) {
    for (auto n : {sizes(1, 2, 1, 8), sizes(2, 2, 37, 6), sizes(1, 2, 64, 16), sizes(1, 2, 129, 40), sizes(1, 4, 70, 64, 2)})
        BOOST_TEST_CONTEXT("T " << n.T << ", D " << n.D) check<Policy, device>(inputs<Policy>(n, 20), tolerance_of<Policy>, 0.1);
}
BOOST_AUTO_TEST_CASE_TEMPLATE(joints_are_the_references, Policy, joints_on_cuda) {
    for (auto n : {sizes(1, 2, 1, 8), sizes(2, 2, 37, 6), sizes(1, 2, 150, 40)})
        BOOST_TEST_CONTEXT("T " << n.T << ", D " << n.D) check<Policy, device>(inputs<Policy>(n, 30), tolerance_of<Policy>, 0.1);
}
// Four heads of a token are walked at once, four channels a lane, where both are multiples of four; by one warp, or several of a block.
BOOST_AUTO_TEST_CASE_TEMPLATE(joints_of_many_heads, Policy, joints_on_cuda) {
    for (auto n : {sizes(2, 4, 21, 64), sizes(1, 12, 18, 64), sizes(1, 4, 70, 64, 2), sizes(1, 8, 18, 36), sizes(1, 1, 18, 64), sizes(1, 5, 18, 8), sizes(1, 4, 18, 10), sizes(3, 16, 9, 32), sizes(1, 20, 5, 64)})
        BOOST_TEST_CONTEXT("H " << n.H << ", T " << n.T << ", D " << n.D) check<Policy, device>(inputs<Policy>(n, 31), tolerance_of<Policy>, 0.1);
}
BOOST_AUTO_TEST_CASE_TEMPLATE(prologues_that_read_x, Policy, prologues_of_input_on_cuda) {
    static_assert(Policy::has_input_products && Policy::reads_head_input);
    for (auto n : {sizes(2, 4, 21, 64), sizes(1, 3, 18, 34), sizes(1, 12, 70, 64)})
        BOOST_TEST_CONTEXT("H " << n.H << ", T " << n.T << ", D " << n.D) {
            check<Policy, device>(inputs<Policy>(n, 41), float_tolerance, 0.1);
            check_rounded_rows<Policy, device>(inputs<Policy>(n, 41));
        }
}
// More tokens than a block sums at once.
BOOST_AUTO_TEST_CASE(sums_along_long_sequences) {
    using policy = std::tuple_element_t<1, joints_on_cuda>;
    static_assert(policy::has_tokens);
    check<policy, device>(inputs<policy>(sizes(1, 2, 2100, 8), 42), 5e-3, 1);
}
#ifndef ATTNLAB_TESTS_ON_GPU
BOOST_AUTO_TEST_CASE(an_output_joint_after_two_passes) {
    using clipped = attention<causal, clipped_softmax<1.03, -0.03>, attention_bias>;
    static_assert(!clipped::one_pass && clipped::reads_log_normalizer);
    for (auto n : {sizes(2, 4, 70, 64), sizes(1, 2, 18, 10)})
        BOOST_TEST_CONTEXT("D " << n.D) check<clipped, device>(inputs<clipped>(n, 36), float_tolerance, 0.1);
}
#endif
// What begins on no sixteen bytes is read number by number.
BOOST_AUTO_TEST_CASE(rows_that_begin_anywhere) {
    using policy = std::tuple_element_t<0, joints_on_cuda>;
    auto const n = sizes(2, 4, 21, 64);
    auto const in = inputs<policy>(n, 32);
    auto const expected = run_attention<policy, device, false>(in, attention_layout::packed);
    attention_call<float> c(in, attention_layout::packed);
    index_t const row = n.H * n.D + 1;
    buffer<float> q(static_cast<std::size_t>(n.B * n.T * row + 1)), bias(c.parameters[0].size() + 1);
    attnlab::heads<float> const moved{q.data() + 1, n.T * row, n.D, row};
    attnlab::each_entry({n.B, n.H, n.T, n.D}, [&](index_t b, index_t h, index_t t, index_t i) { moved.row(b, h, t)[i] = c.problem.q.row(b, h, t)[i]; });
    std::copy(c.parameters[0].begin(), c.parameters[0].end(), bias.begin() + 1);
    for (bool parameter : {false, true}) {
        if (parameter) c.problem.parameters[0] = bias.data() + 1;
        else c.problem.q = moved;
        attention_saved<float> saved;
        attention_forward<policy>(device{}, c.problem, saved, c.y.part(0));
        attention_backward<policy>(device{}, c.problem, saved, c.y.part(0), c.dy.part(0), c.gradients);
        synchronize(device{});
        auto const near = [&](char const* what, auto const& found, auto const& e) {
            check_near(what, view<float const, 1>(found.data(), {found.size()}), std::vector<double>(e.data(), e.data() + e.size()), float_tolerance, 0.1);
        };
        near("y", c.y.take(0), expected.y), near("dq", c.d_qkv.take(0), expected.dq);
        c.problem.q = c.qkv.part(0);
    }
}
using differentiable = std::tuple<attention<causal, softmax>, attention<rope<>, causal, softmax, attention_bias>, attention<forgetting<>, document, softmax, context_scale>>;
/// What was in the place of gradients by x shows in none of them.
template <class Policy>
void check_assigned(call_sizes n) {
    auto const in = inputs<Policy>(n, 33);
    auto const expected = run_attention<Policy, ref, false>(in);
    attention_call<float> c(in, attention_layout::packed);
    std::fill_n(c.results.d_input.data(), c.results.d_input.size(), 7.0f);
    attention_saved<float> saved;
    attention_forward<Policy>(device{}, c.problem, saved, c.y.part(0));
    attention_backward<Policy>(device{}, c.problem, saved, c.y.part(0), c.dy.part(0), c.gradients);
    synchronize(device{});
    check_near("dx", *c.results.d_input, *expected.d_input, tolerance_of<Policy>, 0.1);
}
BOOST_AUTO_TEST_CASE(gradients_by_x_are_assigned) {
    for (auto n : {sizes(2, 4, 21, 64), sizes(1, 3, 18, 6)}) {   // from products of x
        check_assigned<std::tuple_element_t<1, joints_on_cuda>>(n);
        check_assigned<std::tuple_element_t<3, joints_on_cuda>>(n);
#ifndef ATTNLAB_TESTS_ON_GPU
        using of_heads = attention<causal, softmax, attnlab::head_input_gate<0.25>>;   // row by row, each head its own channels, or all of them
        using of_all = attention<causal, softmax, length_gate>;
        static_assert(of_heads::reads_head_input && of_all::adds_to_input);
        check_assigned<of_heads>(n), check_assigned<of_all>(n);
        check<of_heads, device>(inputs<of_heads>(n, 34), float_tolerance, 0.1), check<of_all, device>(inputs<of_all>(n, 34), float_tolerance, 0.1);
#endif
    }
}
BOOST_AUTO_TEST_CASE_TEMPLATE(in_bfloat16, Policy, differentiable) {   // a kink may fall either way
    auto in = inputs<Policy>(sizes(1, 2, 150, 64), 40);
    in.products = precision::bfloat16;
    check<Policy, device>(in, bfloat16_tolerance, 1);
}
BOOST_AUTO_TEST_CASE_TEMPLATE(rows_that_lie_rounded, Policy, weightings_on_cuda) {
    if constexpr (!Policy::has_prologue && !Policy::has_output)
        for (auto n : {sizes(2, 2, 64, 64), sizes(2, 4, 150, 64, 2)})
            BOOST_TEST_CONTEXT("T " << n.T << ", heads of k " << n.kv_heads()) check_rounded_rows<Policy, device>(inputs<Policy>(n, 25));
}
using with_outputs = std::tuple<std::tuple_element_t<0, joints_on_cuda>, std::tuple_element_t<1, joints_on_cuda>, std::tuple_element_t<3, joints_on_cuda>>;
BOOST_AUTO_TEST_CASE_TEMPLATE(a_result_that_is_rounded_after_output_joints, Policy, with_outputs) {
    for (auto n : {sizes(2, 2, 37, 6), sizes(1, 3, 70, 64), sizes(2, 4, 150, 64), sizes(1, 20, 18, 8)})
        BOOST_TEST_CONTEXT("T " << n.T << ", D " << n.D << ", H " << n.H) check_rounded_rows<Policy, device>(inputs<Policy>(n, 35));
}
#ifndef ATTNLAB_TESTS_ON_GPU
using turned = std::tuple<attention<qk_norm<>, rope<>, causal, softmax>, attention<rope<10000, 32, true>, causal, softmax>>;
BOOST_AUTO_TEST_CASE_TEMPLATE(rows_turned_in_registers_or_scratch_memory, Policy, turned) {
    // Pairs in a lane's chunks, neighbours in others' lanes, halves of no chunks; fewer heads of k, of which four are a warp's, or two are none.
    for (auto n : {sizes(2, 4, 70, 64), sizes(1, 3, 18, 64), sizes(1, 4, 18, 40), sizes(1, 8, 18, 64, 4), sizes(1, 4, 18, 64, 2)})
        BOOST_TEST_CONTEXT("H " << n.H << ", heads of k " << n.kv_heads() << ", D " << n.D) {
            check<Policy, device>(inputs<Policy>(n, 37), float_tolerance, 0.1);
            check_rounded_rows<Policy, device>(inputs<Policy>(n, 37));
        }
}
BOOST_AUTO_TEST_CASE(angles_of_longer_texts) {   // those that are there serve shorter ones
    using policy = std::tuple_element_t<1, turned>;
    attention_saved<float> saved;
    for (index_t T : {20, 9, 41}) {
        auto const in = inputs<policy>(sizes(1, 4, T, 64), 38);
        auto const expected = run_attention<policy, ref, false>(in);
        attention_call<float> c(in, attention_layout::packed);
        attention_forward<policy>(device{}, c.problem, saved, c.y.part(0));
        attention_backward<policy>(device{}, c.problem, saved, c.y.part(0), c.dy.part(0), c.gradients);
        auto const y = c.y.take(0), dq = c.d_qkv.take(0);
        BOOST_TEST_CONTEXT("T " << T) check_near("y", *y, *expected.y, float_tolerance, 0.1), check_near("dq", *dq, *expected.dq, float_tolerance, 0.1);
    }
    using other = attention<rope<500>, causal, softmax>;   // but not another policy
    auto const in = inputs<other>(sizes(1, 4, 9, 64), 38);
    auto const expected = run_attention<other, ref, false>(in);
    attention_call<float> c(in, attention_layout::packed);
    attention_forward<other>(device{}, c.problem, saved, c.y.part(0));
    auto const y = c.y.take(0);
    check_near("y", *y, *expected.y, float_tolerance, 0.1);
}
BOOST_AUTO_TEST_CASE(heads_of_fewer_channels_than_turn) {
    using policy = std::tuple_element_t<1, turned>;
    auto const in = inputs<policy>(sizes(1, 2, 3, 6), 38);
    BOOST_CHECK_THROW((run_attention<policy, device, false>(in)), error);
    BOOST_CHECK_THROW((run_attention<policy, ref, false>(in)), error);
}
/// s + a number of the key that no sum runs over, which a lane makes.
struct gated_key {
    struct parameters {
        head_map<"key.weight"> weight{from_model};
    };
    static constexpr auto score(auto s, auto const& at, auto const& p) { return s + per_token(tanh(dot(at.input, p.weight))).at_key(); }
};
/// Sums of what reads all of x, and so is made token by token.
struct forgetting_by_size {
    struct parameters {
        head_map<"gate.weight"> weight{from_model};
        head_scalar<"gate.bias"> bias{constant(1)};
    };
    static constexpr auto score(auto s, auto const& at, auto const& p) {
        auto const c = cumulative_sum(-softplus(-(dot(at.input, p.weight) + p.bias * dot(at.input, at.input) / 64)));
        return s + c.at_query() - c.at_key();
    }
};
static_assert(gpu::makes_numbers_in_lanes<attention<gated_key, causal, softmax>> && gpu::makes_numbers_in_lanes<attention<forgetting<>, causal, softmax>>);
static_assert(!gpu::makes_numbers_in_lanes<attention<forgetting_by_size, causal, softmax>>);
using with_tokens = std::tuple<attention<gated_key, causal, softmax>, attention<forgetting_by_size, causal, softmax>>;
BOOST_AUTO_TEST_CASE_TEMPLATE(numbers_of_tokens, Policy, with_tokens) { check<Policy, device>(inputs<Policy>(sizes(2, 3, 70, 8), 39), float_tolerance, 1); }
BOOST_AUTO_TEST_CASE(sums_along_the_sequence) {   // as a block has tokens at once, and some more
    using policy = attention<forgetting<>, causal, softmax>;
    for (index_t T : {1, 5, 2048, 5000}) {
        attention_problem<float> p;
        p.B = 2, p.H = 3, p.T = T;
        auto const x = attnlab::testing::random(std::array{p.B, p.H, T}, 40), more = attnlab::testing::random(std::array{p.B, p.H, T}, 41);
        auto from_begin = attnlab::testing::narrow(x), from_end = from_begin;
        auto const added = attnlab::testing::narrow(more);
        gpu::scan_tokens<policy>(device{}, p, gpu::numbers_in_memory<false>{from_begin.data(), nullptr, p.H, T});
        gpu::scan_tokens<policy>(device{}, p, gpu::numbers_in_memory<true>{from_end.data(), added.data(), p.H, T});
        double worst = 0;
        for (index_t row = 0; row < p.B * p.H; ++row) {
            double up = 0, down = 0;
            for (index_t i = 0; i < T; ++i) {
                index_t const t = row * T + i, last = row * T + T - 1 - i;
                up += x.data()[t], down += x.data()[last] + more.data()[last];
                worst = std::max({worst, std::abs(from_begin.data()[t] - up) / (1 + std::abs(up)), std::abs(from_end.data()[last] - down) / (1 + std::abs(down))});
            }
        }
        BOOST_TEST(worst <= 1e-4, "T " << T << ": off by " << worst);
    }
}
#endif
BOOST_AUTO_TEST_CASE(every_head_size) {
    using policy = std::tuple_element_t<0, head_sizes_on_cuda>;
    for (auto products : {precision::float32, precision::bfloat16})
        for (index_t D : {1, 63, 64, 65, 128, 200, 256})
            BOOST_TEST_CONTEXT("D " << D << (products == precision::float32 ? ", float" : ", bfloat16")) {
                auto in = inputs<policy>(sizes(1, 1, 70, D), 50);
                in.products = products;
                check<policy, every_size>(in, products == precision::float32 ? float_tolerance : bfloat16_tolerance, products == precision::float32 ? 0.1 : 1);
                check_statistics<policy, every_size>(in, products == precision::float32 ? float_tolerance : bfloat16_tolerance);
                if (products == precision::bfloat16) check_rounded_rows<policy, every_size>(in);   // by a scale of 128^-1/2 q is packed, k and v are not
            }
    BOOST_CHECK_THROW((run_attention<policy, every_size, false>(inputs<policy>(sizes(1, 1, 3, 257), 51))), error);
}
BOOST_AUTO_TEST_CASE(a_users_check) {
    auto const report = check_policy<std::tuple_element_t<0, joints_on_cuda>, device>();
    BOOST_TEST(report.passed(), report);
}
BOOST_AUTO_TEST_CASE(scores_of_ten_thousand) {   // known to 1 / 2000 as floats, and to 2^-21 of their largest product
    using policy = attention<causal, softmax>;
    check<policy, device>(random_inputs<policy>(sizes(1, 2, 70, 16), 30, 1.0 / 20, 60), 2e-2, 6);
}
BOOST_AUTO_TEST_CASE_TEMPLATE(the_same_bits_again, Policy, joints_on_cuda) {   // sums in copies: of rows, of tables by distance, of numbers of tokens
    for (auto products : {precision::float32, precision::bfloat16})
        for (auto n : {sizes(2, 4, 150, 64), sizes(1, 2, 70, 40)}) {
            auto in = inputs<Policy>(n, 60);
            in.products = products;
            auto const run = [&] { return run_attention<Policy, device, false>(in, attention_layout::packed); };
            auto const a = run(), b = run();
            using attnlab::testing::same_bits;
            BOOST_TEST((same_bits(a.y, b.y) && same_bits(a.dq, b.dq) && same_bits(a.dk, b.dk) && same_bits(a.dv, b.dv) && same_bits(a.d_input, b.d_input)));
            BOOST_TEST((a.d_parameters == b.d_parameters));
        }
}
BOOST_AUTO_TEST_CASE_TEMPLATE(statistics, Policy, differentiable) { check_statistics<Policy, device>(inputs<Policy>(sizes(2, 2, 150, 40), 70), tolerance_of<Policy>); }

BOOST_AUTO_TEST_SUITE_END()
