#pragma once
#include <cmath>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/core/gradient_check.hpp>
#include <attnlab/kernels/attention_call.hpp>
#include <attnlab/kernels/cpu/attention.hpp>
#include <attnlab/kernels/ref/attention.hpp>

#include "kernels/joints.hpp"
#include "kernels/support.hpp"

/// \file
/// What must hold of every policy. `Policy` has the mask `any_mask`, so that one instantiation is tested under all masks.

namespace attnlab::testing {

template <class... Joints>
using under_any_mask = attnlab::attention<any_mask, Joints...>;

inline std::vector<any_mask::kind> const every_mask{any_mask::causal, any_mask::full, any_mask::window, any_mask::gaps};

/// Normal inputs. `grid` > 0 rounds q and k to multiples of 1 / grid such that every product q . k is exact in float and an odd
/// multiple of 1 / grid^2, never 0: a score is on the same side of a kink on both devices.
template <class Policy>
attention_inputs random_inputs(call_sizes n, std::uint64_t seed, double grid, double deviation = 1) {
    attention_inputs in;
    in.n = n;
    std::array<index_t, 4> const rows{n.B, n.H, n.T, n.D};
    in.q = random(rows, seed + 1, deviation), in.k = random(rows, seed + 2, deviation);
    in.v = random(rows, seed + 3), in.dy = random(rows, seed + 4);
    in.input = random(std::array{n.B, n.T, n.width}, seed + 5);
    for (index_t size : parameter_sizes<Policy>(n)) {
        auto const p = random(std::array{size}, seed + 6 + in.parameters.size());
        in.parameters.emplace_back(p.data(), p.data() + size);
    }
    if (grid > 0)
        each_entry({n.B, n.H, n.T, n.D}, [&](index_t b, index_t h, index_t t, index_t c) {
            auto const odd = [](double x) { return 2 * std::floor(x / 2) + 1; };
            auto const even = [](double x) { return 2 * std::round(x / 2); };
            double &q = in.q(b, h, t, c), &k = in.k(b, h, t, c);
            q = (c == 0 ? odd(q * grid) : even(q * grid)) / grid;
            k = (c == 0 ? odd(k * grid) : std::round(k * grid)) / grid;
        });
    return in;
}
inline call_sizes sizes(index_t B, index_t H, index_t T, index_t D) {
    return {B, H, T, D, H * D + 3, 1 / std::sqrt(static_cast<double>(D))};
}

/// The length rules that matter to the policy.
template <class Policy>
std::vector<length_rule> rules() {
    if (!Policy::reads_length) return {length_rule::sequence};
    return {length_rule::sequence, length_rule::trained, length_rule::visible};
}

/// Every element within `tolerance` of the expected one, relative to it, to the array's root mean square and to `unit`: the size
/// of the terms that a gradient is summed from, which may cancel to nothing (one key has all the weight, whatever its score).
template <class Found, class Expected>
void check_near(std::string const& what, Found const& found, Expected const& expected, double tolerance, double unit) {
    double squares = 0;
    for (double e : expected) squares += e * e;
    double const typical = std::sqrt(squares / static_cast<double>(std::size(expected)));
    auto f = found.begin();
    index_t i = 0;
    for (double const e : expected) {
        double const x = static_cast<double>(*f++);
        if (!(std::abs(x - e) <= tolerance * (std::abs(e) + typical + unit))) {
            BOOST_ERROR(what << ": element " << i << ": found " << x << ", expected " << e);
            return;
        }
        ++i;
    }
    BOOST_TEST(true);
}

/// Every result of `Device` near that of `ref`.
template <class Policy, class Device = cpu>
void check_against_ref(attention_inputs const& in, double tolerance, double unit,
                       attention_layout layout = attention_layout::packed) {
    auto const e = run_attention<Policy, ref>(in);
    auto const f = run_attention<Policy, Device>(in, layout);
    check_near("y", *f.y, *e.y, tolerance, 0.1);
    check_near("dq", *f.dq, *e.dq, tolerance, unit), check_near("dk", *f.dk, *e.dk, tolerance, unit);
    check_near("dv", *f.dv, *e.dv, tolerance, 0.1), check_near("dx", *f.d_input, *e.d_input, tolerance, unit);
    check_near("pattern", *f.pattern, *e.pattern, tolerance, 0), check_near("slot", *f.slot, *e.slot, tolerance, 0);
    // Where a slot takes all that a float can tell from 1, nothing is left for a gate to scale, and it is 1 by definition.
    auto gate = e.gate;
    for (index_t i = 0; i < gate.size(); ++i)
        if (f.slot.data()[i] == 1) gate.data()[i] = 1;
    check_near("gate", *f.gate, *gate, tolerance, 0);
    for (std::size_t i = 0; i < in.parameters.size(); ++i)
        check_near("parameter " + std::to_string(i), f.d_parameters[i], e.d_parameters[i], tolerance, unit);
}

template <class Policy>
void check_differences() {
    for (auto mask : every_mask)
        for (auto rule : rules<Policy>()) {
            with_mask const chosen(mask);
            auto n = sizes(1, 2, 5, 3);
            n.rule = rule, n.trained_length = 11;
            any_mask::width = 2;
            auto in = random_inputs<Policy>(n, 10, 0);
            auto const g = run_attention<Policy, ref>(in);
            std::vector<checked_array> arrays;
            auto const add = [&](std::string name, auto& x, auto const& d) {
                arrays.push_back({std::move(name),
                                  {x.data(), static_cast<std::size_t>(x.size())},
                                  {d.data(), static_cast<std::size_t>(d.size())}});
            };
            add("q", in.q, g.dq), add("k", in.k, g.dk), add("v", in.v, g.dv), add("x", in.input, g.d_input);
            for (std::size_t i = 0; i < in.parameters.size(); ++i)
                add("parameter " + std::to_string(i), in.parameters[i], g.d_parameters[i]);
            auto const report = check_gradient([&] { return weighted_sum(run_attention<Policy, ref>(in).y, in.dy); }, arrays);
            any_mask::width = 5;
            BOOST_TEST_CONTEXT("mask " << mask << ", rule " << static_cast<int>(rule) << ": " << report.line())
            BOOST_TEST(report.worst < 1e-6);
        }
}

/// Lengths and head sizes around the edges of tiles and registers.
template <class Policy>
void check_sizes() {
    for (auto mask : every_mask)
        for (index_t T : {1, 2, 15, 16, 17, 37, 64, 65, 129})
            for (index_t D : {1, 7, 8, 13, 16, 64}) {
                with_mask const chosen(mask);
                auto n = sizes(T < 64 ? 2 : 1, 2, T, D);
                auto const all = rules<Policy>();
                n.rule = all[static_cast<std::size_t>(T + D) % all.size()], n.trained_length = 50;
                BOOST_TEST_CONTEXT("mask " << mask << ", T " << T << ", D " << D)
                check_against_ref<Policy>(random_inputs<Policy>(n, 20, 8), 5e-5, 0.1,
                                          D % 2 ? attention_layout::packed : attention_layout::separate);
            }
}

/// Scores to +-1e4: nothing overflows, nothing becomes a NaN, and the gradients are right. A float of that size is known to 1 /
/// 2000, and compilers may fuse `q.k - m`, in one pass and not in the other: weights are known to as much. (D is 16, so that q times
/// 1 / sqrt(D) is exact as the products are.)
template <class Policy>
void check_large_scores() {
    for (auto mask : every_mask) {
        with_mask const chosen(mask);
        auto const in = random_inputs<Policy>(sizes(1, 2, 70, 16), 30, 1.0 / 20, 60);
        double largest = 0;
        for (index_t i = 0; i < in.n.T; ++i) {
            double s = 0;
            for (index_t c = 0; c < in.n.D; ++c) s += in.n.scale * in.q(0, 0, i, c) * in.k(0, 0, i, c);
            largest = std::max(largest, std::abs(s));
        }
        BOOST_TEST(largest > 8000);
        BOOST_TEST_CONTEXT("mask " << mask) check_against_ref<Policy>(in, 1e-3, 6);
    }
}

/// Queries of 0, as before the first step of some initialisations: all scores at once on the kinks, and Z of softpick 0.
template <class Policy>
void check_zero_queries() {
    for (auto mask : every_mask) {
        with_mask const chosen(mask);
        auto in = random_inputs<Policy>(sizes(1, 2, 37, 8), 35, 0);
        in.q.fill(0);
        BOOST_TEST_CONTEXT("mask " << mask) check_against_ref<Policy>(in, 5e-5, 0.1);
    }
}

/// Rows whose bits are those of `clean`, and rows that hold a NaN: one or the other, by whether the row is `hit`.
template <class S, class Hit>
void check_rows(char const* what, tensor<S, 4> const& y, tensor<S, 4> const& clean, Hit hit) {
    for (index_t b = 0; b < y.shape(0); ++b)
        for (index_t h = 0; h < y.shape(1); ++h)
            for (index_t t = 0; t < y.shape(2); ++t) {
                auto const same =
                    std::memcmp(&y(b, h, t, 0), &clean(b, h, t, 0), static_cast<std::size_t>(y.shape(3)) * sizeof(S)) == 0;
                bool nan = false;
                for (index_t c = 0; c < y.shape(3); ++c) nan = nan || std::isnan(y(b, h, t, c));
                if (hit(b, h, t) ? !nan : !same) {
                    BOOST_ERROR(what << ": row " << b << "," << h << "," << t << (nan ? " is NaN" : " is a number")
                                     << ", expected the other");
                    return;
                }
            }
    BOOST_TEST(true);
}

/// A NaN in q, k or v reaches the rows that see it and no other bit.
template <class Policy, class Device>
void check_nan() {
    auto const nan = std::numeric_limits<double>::quiet_NaN();
    for (auto mask : every_mask) {
        with_mask const chosen(mask);
        auto const in = random_inputs<Policy>(sizes(2, 2, 70, 8), 40, 8);
        auto const clean = run_attention<Policy, Device>(in).y;
        index_t const at = 36, T = in.n.T;  // seen by a row of the gaps too
        auto const sees = [&](index_t b, index_t h, index_t t) {
            auto const keys = any_mask::keys(t, T);
            return b == 1 && h == 0 && keys.begin <= at && at < keys.end;
        };
        auto const check = [&](char const* what, tensor<double, 4> attention_inputs::*x, auto hit) {
            auto broken = in;
            (broken.*x)(1, 0, at, 3) = nan;
            BOOST_TEST_CONTEXT("mask " << mask) check_rows(what, run_attention<Policy, Device>(broken).y, clean, hit);
        };
        check("q", &attention_inputs::q, [&](index_t b, index_t h, index_t t) { return b == 1 && h == 0 && t == at; });
        check("k", &attention_inputs::k, sees);
        check("v", &attention_inputs::v, sees);
    }
}

/// What comes later, at the same T, changes no bit of what was before.
template <class Policy, class Device>
void check_causality() {
    for (auto mask : {any_mask::causal, any_mask::window, any_mask::gaps}) {
        with_mask const chosen(mask);
        auto const in = random_inputs<Policy>(sizes(1, 2, 70, 8), 50, 0), other = random_inputs<Policy>(in.n, 60, 0);
        index_t const from = 41;
        auto changed = in;
        changed.dy = other.dy;
        each_entry({in.n.B, in.n.H, in.n.T, in.n.D}, [&](index_t b, index_t h, index_t t, index_t c) {
            if (t >= from)
                changed.q(b, h, t, c) = other.q(b, h, t, c), changed.k(b, h, t, c) = other.k(b, h, t, c),
                                   changed.v(b, h, t, c) = other.v(b, h, t, c);
        });
        for (index_t t = from; t < in.n.T; ++t)
            for (index_t c = 0; c < in.n.width; ++c) changed.input(0, t, c) = other.input(0, t, c);
        auto const before = run_attention<Policy, Device>(in).y, after = run_attention<Policy, Device>(changed).y;
        for (index_t h = 0; h < 2; ++h)
            for (index_t t = 0; t < in.n.T; ++t) {
                bool const same = std::memcmp(&before(0, h, t, 0), &after(0, h, t, 0), 8 * sizeof(before(0, h, t, 0))) == 0;
                // A row that sees nothing does not change with what it would have seen.
                if (same != (t < from) && !(mask == any_mask::gaps && t % 3 == 1))
                    BOOST_ERROR("mask " << mask << ": row " << h << "," << t);
            }
        BOOST_TEST(true);
    }
}

/// The same bits from run to run; for any number of threads too, parameters' gradients apart: these are sums over threads.
template <class Policy>
void check_bits() {
    auto const in = random_inputs<Policy>(sizes(5, 2, 129, 64), 70, 0);
    auto const run = [&] { return run_attention<Policy, cpu>(in, attention_layout::packed); };
    auto const one = with_threads(1, run), again = with_threads(1, run), two = with_threads(2, run),
               two_again = with_threads(2, run);
    for (auto const* other : {&again, &two, &two_again})
        BOOST_TEST((same_bits(one.y, other->y) && same_bits(one.dq, other->dq) && same_bits(one.dk, other->dk) &&
                    same_bits(one.dv, other->dv) && same_bits(one.d_input, other->d_input)));
    for (std::size_t i = 0; i < in.parameters.size(); ++i)
        check_near("parameter " + std::to_string(i) + " by two threads", two.d_parameters[i], one.d_parameters[i], 1e-4, 0.1);
    BOOST_TEST((one.d_parameters == again.d_parameters));
    BOOST_TEST((two.d_parameters == two_again.d_parameters));
    auto const apart = with_threads(2, [&] { return run_attention<Policy, cpu>(in, attention_layout::separate); });
    BOOST_TEST(
        (same_bits(two.y, apart.y) && same_bits(two.dq, apart.dq) && same_bits(two.dk, apart.dk) && same_bits(two.dv, apart.dv)));
    BOOST_TEST((two.d_parameters == apart.d_parameters));
}

/// Rows that see no key: the keys get no gradient, and the result is what the output joint makes of 0.
/// `expected(b, h, c)` is that result.
template <class Policy, class Device, class Expected>
void check_empty_rows(Expected expected) {
    with_mask const chosen(any_mask::none);
    auto const in = random_inputs<Policy>(sizes(2, 2, 19, 8), 80, 0);
    auto const out = run_attention<Policy, Device>(in);
    std::size_t wrong = 0;
    each_entry({in.n.B, in.n.H, in.n.T, in.n.D}, [&](index_t b, index_t h, index_t t, index_t c) {
        wrong += !(std::abs(static_cast<double>(out.y(b, h, t, c)) - expected(in, h, c)) < 1e-6);
        wrong += out.dq(b, h, t, c) != 0 || out.dk(b, h, t, c) != 0 || out.dv(b, h, t, c) != 0;
    });
    BOOST_TEST(wrong == 0u);
}

/// What an empty row gives by itself.
inline constexpr auto nothing = [](attention_inputs const&, index_t, index_t) { return 0.0; };
/// Row h of the policy's I-th parameter.
template <std::size_t I>
inline constexpr auto of_parameter =
    [](attention_inputs const& in, index_t h, index_t c) { return in.parameters[I][static_cast<std::size_t>(h * in.n.D + c)]; };

/// The weights over the keys and the slot's share make 1.
template <class Policy, class Device>
void check_shares() {
    for (auto mask : {any_mask::causal, any_mask::full, any_mask::window}) {
        with_mask const chosen(mask);
        auto const in = random_inputs<Policy>(sizes(2, 2, 37, 8), 90, 0);
        auto const out = run_attention<Policy, Device>(in);
        double worst = 0, smallest_slot = 1, largest_slot = 0;
        for (index_t b = 0; b < 2; ++b)
            for (index_t h = 0; h < 2; ++h)
                for (index_t i = 0; i < in.n.T; ++i) {
                    double sum = out.slot(b, h, i);
                    smallest_slot = std::min(smallest_slot, sum), largest_slot = std::max(largest_slot, sum);
                    auto const keys = any_mask::keys(i, in.n.T);
                    for (index_t j = 0; j < in.n.T; ++j) {
                        sum += out.pattern(b, h, i, j);
                        if ((j < keys.begin || j >= keys.end) && out.pattern(b, h, i, j) != 0) worst = 1;
                    }
                    worst = std::max(worst, std::abs(sum - 1));
                }
        BOOST_TEST(worst < 1e-5);
        if (Policy::has_slot)
            BOOST_TEST((smallest_slot > 0 && largest_slot > 0.01 && largest_slot < 1));
        else
            BOOST_TEST(largest_slot == 0);
    }
}

}  // namespace attnlab::testing
