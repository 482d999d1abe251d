#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <ostream>
#include <string>
#include <vector>

#include <attnlab/core/gradient_check.hpp>
#include <attnlab/core/rng.hpp>
#include <attnlab/kernels/attention_call.hpp>
#include <attnlab/kernels/cpu/attention.hpp>
#include <attnlab/kernels/ref/attention.hpp>

/// \file
/// Does a policy do what its formulas say? The checks that attnlab's own policies pass, for anybody's.

namespace attnlab {

/// One check of a policy: how far it was off, how far it may be.
struct policy_check {
    std::string name;
    double worst = 0, allowed = 0;
    std::string where = {};   ///< of the worst, or why it was not done
    bool passed() const { return worst <= allowed; }
};

/// All checks of a policy.
struct policy_report {
    std::vector<policy_check> checks;
    bool passed() const {
        return std::all_of(checks.begin(), checks.end(), [](auto const& c) { return c.passed(); });
    }
};

/// One line a check: passed or not, its name, how far off, where.
inline std::ostream& operator<<(std::ostream& out, policy_report const& report) {
    for (auto const& c : report.checks) {
        out << (c.passed() ? "ok      " : "FAILED  ") << c.name << std::string(c.name.size() < 48 ? 48 - c.name.size() : 1, ' ') << c.worst
            << " (at most " << c.allowed << ")";
        if (!c.where.empty()) out << "  " << c.where;
        out << "\n";
    }
    return out;
}

namespace detail {

/// Inputs drawn from a normal distribution; parameters around the values that they start with, and away from kinks at 0.
template <class Policy>
attention_inputs drawn_inputs(call_sizes const& n, std::uint64_t seed, double deviation = 1) {
    attention_inputs in;
    in.n = n;
    std::uint64_t stream = 0;
    auto const fill = [&](auto& x, double mean, double by) {
        auto const key = rng::stream(seed, std::to_string(stream++));
        std::uint64_t i = 0;
        for (auto& e : x) e = mean + by * rng::normal(key, i++);
    };
    for (auto* x : {&in.q, &in.dy}) x->resize({n.B, n.H, n.T, n.D});
    for (auto* x : {&in.k, &in.v}) x->resize({n.B, n.kv_heads(), n.T, n.D});
    in.input.resize({n.B, n.T, n.width});
    auto q = *in.q, k = *in.k, v = *in.v, dy = *in.dy;
    auto x = *in.input;
    fill(q, 0, deviation), fill(k, 0, deviation), fill(v, 0, 1), fill(dy, 0, 1), fill(x, 0, 1);
    std::apply(
        [&](auto const&... e) {
            [[maybe_unused]] auto const draw = [&](auto const& p) {
                in.parameters.emplace_back(static_cast<std::size_t>(total_of(p, {n.H, n.D, n.width})));
                fill(in.parameters.back(), p.init.mean, 0.3);
            };
            (draw(e), ...);
        },
        Policy::parameters);
    if constexpr (reads_documents<typename Policy::mask>)
        for (index_t b = 0; b < n.B; ++b)
            for (index_t t = 0; t < n.T; ++t) in.documents.push_back(t - t % 7);
    return in;
}

/// |found - expected| relative to the expected value, the array's root mean square and `unit`; infinite for what is not a number.
template <class Found, class Expected>
void compare(policy_check& c, std::string const& what, Found const& found, Expected const& expected, double unit) {
    double squares = 0;
    for (double e : expected) squares += e * e;
    double const typical = std::sqrt(squares / std::max<double>(1, static_cast<double>(std::size(expected))));
    auto f = std::begin(found);
    index_t i = 0;
    for (double const e : expected) {
        double const x = static_cast<double>(*f++), off = std::abs(x - e) / (std::abs(e) + typical + unit);
        if (!(off <= c.worst)) {
            c.worst = std::isnan(off) ? HUGE_VAL : off;
            c.where = text(what, "[", i, "]: ", x, ", expected ", e);
        }
        ++i;
    }
}
template <class Policy, class A, class B>
void compare_results(policy_check& c, std::string const& at, A const& found, B const& expected, double unit) {
    compare(c, at + "y", *found.y, *expected.y, unit);
    compare(c, at + "dq", *found.dq, *expected.dq, unit);
    compare(c, at + "dk", *found.dk, *expected.dk, unit);
    compare(c, at + "dv", *found.dv, *expected.dv, unit);
    if constexpr (Policy::reads_input) compare(c, at + "dx", *found.d_input, *expected.d_input, unit);
    for (std::size_t i = 0; i < expected.d_parameters.size(); ++i)
        compare(c, at + "d" + std::string(Policy::parameter_names[i]), found.d_parameters[i], expected.d_parameters[i], unit);
}

inline call_sizes sizes_of(index_t B, index_t H, index_t T, index_t D, index_t H_kv = 0) {
    call_sizes n{B, H, T, D, H * D, 1 / std::sqrt(static_cast<double>(D))};
    n.H_kv = H_kv;
    return n;
}

template <class Policy>
policy_check differences_check() {
    policy_check c{"gradients against differences, double", 0, 1e-5};
    if constexpr (Policy::stops_gradient) {
        c.where = "not checked: stop_gradient makes them differ on purpose";
        return c;
    }
    bool const grouped = !Policy::keys_have_heads;
    auto in = drawn_inputs<Policy>(sizes_of(1, 2, 5, 4, grouped ? 1 : 2), 1);
    auto const g = run_attention<Policy, ref>(in);
    std::vector<checked_array> arrays;
    auto const add = [&](std::string name, auto& x, auto const& d) {
        arrays.push_back({std::move(name), {x.data(), static_cast<std::size_t>(x.size())}, {d.data(), static_cast<std::size_t>(d.size())}});
    };
    add("q", in.q, g.dq), add("k", in.k, g.dk), add("v", in.v, g.dv);
    if constexpr (Policy::reads_input) add("x", in.input, g.d_input);
    for (std::size_t i = 0; i < in.parameters.size(); ++i) add(std::string(Policy::parameter_names[i]), in.parameters[i], g.d_parameters[i]);
    auto const report = check_gradient(
        [&] {
            auto const y = run_attention<Policy, ref>(in).y;
            double sum = 0;
            for (index_t i = 0; i < y.size(); ++i) sum += y.data()[i] * in.dy.data()[i];
            return sum;
        },
        arrays);
    c.worst = report.worst;
    c.where = report.worst > c.allowed ? report.line() : "";
    return c;
}

/// Where an expected value is known to float rounding only: scores of size 1e4 are known to 1 / 1000, a kink may fall either way.
template <class Policy>
policy_check kernel_check(char const* name, std::vector<call_sizes> const& all, double deviation, double allowed, double unit) {
    policy_check c{name, 0, allowed};
    for (auto const& n : all) {
        auto const in = drawn_inputs<Policy>(n, static_cast<std::uint64_t>(n.T * 100 + n.D), deviation);
        compare_results<Policy>(c, text("T ", n.T, ", D ", n.D, ": "), run_attention<Policy, cpu>(in, attention_layout::packed),
                                run_attention<Policy, ref>(in), unit);
    }
    if (c.passed()) c.where.clear();
    return c;
}

template <class Policy>
policy_check causality_check() {
    policy_check c{"later tokens change nothing before them", 0, 0};
    index_t const T = 70, from = 40;
    auto in = drawn_inputs<Policy>(sizes_of(1, 2, T, 8), 3);
    bool causal = true;
    for (index_t i = 0; i < T; ++i) visible_keys<typename Policy::mask>(i, T, i - i % 7).each([&](index_t j) { causal = causal && j <= i; });
    if (!causal) {
        c.where = "not checked: the mask shows later keys";
        return c;
    }
    auto const before = run_attention<Policy, cpu>(in).y;
    each_entry({1, 2, T, 8}, [&](index_t b, index_t h, index_t t, index_t e) {
        if (t >= from) in.q(b, h, t, e) += 1, in.k(b, h, t, e) -= 2, in.v(b, h, t, e) *= -3;
    });
    for (index_t t = from; t < T; ++t)
        for (index_t e = 0; e < in.n.width; ++e) in.input(0, t, e) += 1;
    auto const after = run_attention<Policy, cpu>(in).y;
    each_entry({1, 2, from, 8}, [&](index_t b, index_t h, index_t t, index_t e) {
        double const off = std::abs(static_cast<double>(before(b, h, t, e)) - static_cast<double>(after(b, h, t, e)));
        if (!(off <= c.worst)) c.worst = off, c.where = text("y at position ", t);
    });
    return c;
}

template <class Policy>
policy_check determinism_check() {
    policy_check c{"the same bits again", 0, 0};
    auto const in = drawn_inputs<Policy>(sizes_of(2, 2, 130, 16), 4);
    auto const a = run_attention<Policy, cpu>(in), b = run_attention<Policy, cpu>(in);
    auto const same = [&](char const* what, auto const& x, auto const& y) {
        if (std::memcmp(x.data(), y.data(), static_cast<std::size_t>(std::size(x)) * sizeof(*x.data())) != 0) c.worst = 1, c.where = what;
    };
    same("y", *a.y, *b.y), same("dq", *a.dq, *b.dq), same("dk", *a.dk, *b.dk), same("dv", *a.dv, *b.dv), same("dx", *a.d_input, *b.d_input);
    for (std::size_t i = 0; i < a.d_parameters.size(); ++i) same("a parameter's gradient", a.d_parameters[i], b.d_parameters[i]);
    return c;
}

/// Scores to some 1e4: everything stays finite.
template <class Policy>
policy_check extreme_check() {
    policy_check c{"scores of 1e4: finite, forward and backward", 0, 0};
    auto const in = drawn_inputs<Policy>(sizes_of(1, 2, 70, 8), 5, 60);
    auto const out = run_attention<Policy, cpu>(in);
    auto const finite = [&](std::string const& what, auto const& x) {
        for (auto const e : x)
            if (!std::isfinite(e)) c.worst = HUGE_VAL, c.where = what + " holds " + text(e);
    };
    finite("y", *out.y), finite("dq", *out.dq), finite("dk", *out.dk), finite("dv", *out.dv), finite("dx", *out.d_input);
    for (std::size_t i = 0; i < out.d_parameters.size(); ++i) finite("d" + std::string(Policy::parameter_names[i]), out.d_parameters[i]);
    return c;
}

}  // namespace detail

/// Runs every check: gradients of inputs and of every parameter against differences in double; the cpu kernel against the double
/// reference, at sizes around the edges of tiles and with grouped queries; causality by changing later tokens at fixed T; the same
/// bits twice; scores of 1e4. `attnlab`'s programs offer it as the command `check`.
template <class Policy>
policy_report check_policy() {
    using namespace detail;
    policy_report report;
    report.checks.push_back(differences_check<Policy>());
    report.checks.push_back(kernel_check<Policy>(
        "kernel against reference", {sizes_of(2, 2, 1, 8), sizes_of(2, 2, 5, 6), sizes_of(1, 2, 37, 16), sizes_of(1, 2, 64, 8), sizes_of(1, 2, 129, 10)}, 1,
        2e-4, 0.1));
    if constexpr (!Policy::keys_have_heads)
        report.checks.push_back(kernel_check<Policy>("kernel against reference, grouped queries", {sizes_of(2, 4, 70, 8, 2), sizes_of(1, 4, 33, 8, 1)}, 1, 2e-4, 0.1));
    report.checks.push_back(causality_check<Policy>());
    report.checks.push_back(determinism_check<Policy>());
    report.checks.push_back(extreme_check<Policy>());
    return report;
}

/// The same, printed as a table under a name. Returns whether all passed.
template <class Policy>
bool check_policy(std::ostream& out, std::string const& name) {
    auto const report = check_policy<Policy>();
    out << name << (report.passed() ? ": all checks passed\n" : ": FAILED\n") << report;
    return report.passed();
}

}  // namespace attnlab
