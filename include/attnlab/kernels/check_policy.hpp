#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include <attnlab/core/gradient_check.hpp>
#include <attnlab/core/rng.hpp>
#include <attnlab/kernels/checked_policy.hpp>

/// \file
/// Does a policy do what its formulas say? The checks that attnlab's own policies pass, for anybody's.

namespace attnlab {

/// One check of a policy: how far it was off, how far it may be.
struct policy_check {
    std::string name;
    double worst = 0, allowed = 0;
    std::string where = {};     ///< of the worst
    std::string skipped = {};   ///< why it was not done; empty: it was
    bool passed() const { return worst <= allowed; }
};

/// All checks of a policy.
struct policy_report {
    std::vector<policy_check> checks;
    bool passed() const {
        return std::all_of(checks.begin(), checks.end(), [](auto const& c) { return c.passed(); });
    }
};

/// One line a check: passed or not, its name, how far off, where; or why it was not done.
inline std::ostream& operator<<(std::ostream& out, policy_report const& report) {
    for (auto const& c : report.checks) {
        out << (!c.skipped.empty() ? "skipped " : c.passed() ? "ok      " : "FAILED  ") << c.name << std::string(c.name.size() < 48 ? 48 - c.name.size() : 1, ' ');
        if (c.skipped.empty()) out << c.worst << " (at most " << c.allowed << ")" << (c.where.empty() ? "" : "  ") << c.where;
        else out << c.skipped;
        out << "\n";
    }
    return out;
}

namespace detail {

/// Inputs drawn from a normal distribution; parameters around the values that they start with, and away from kinks at 0.
inline attention_inputs drawn_inputs(checked_policy const& policy, call_sizes const& n, std::uint64_t seed, double deviation = 1) {
    attention_inputs in;
    in.n = n;
    std::uint64_t stream = 0;
    auto const fill = [&](std::span<double> x, double mean, double by) {
        auto const key = rng::stream(seed, std::to_string(stream++));
        std::uint64_t i = 0;
        for (double& e : x) e = mean + by * rng::normal(key, i++);
    };
    for (auto* x : {&in.q, &in.dy}) x->resize({n.B, n.H, n.T, n.D});
    for (auto* x : {&in.k, &in.v}) x->resize({n.B, n.kv_heads(), n.T, n.D});
    in.input.resize({n.B, n.T, n.width});
    fill(*in.q, 0, deviation), fill(*in.k, 0, deviation), fill(*in.v, 0, 1), fill(*in.dy, 0, 1), fill(*in.input, 0, 1);
    for (index_t size : policy.parameter_sizes(n)) {
        double const mean = policy.first_values[in.parameters.size()].mean;
        fill(in.parameters.emplace_back(static_cast<std::size_t>(size)), mean, 0.3);
    }
    if (policy.reads_documents)
        for (index_t b = 0; b < n.B; ++b)
            for (index_t t = 0; t < n.T; ++t) in.documents.push_back(t - t % document_length);
    return in;
}

template <class S, std::size_t N>
std::span<S const> numbers_in(tensor<S, N> const& x) {
    return {x.data(), static_cast<std::size_t>(x.size())};
}

/// An array of results, to be named in a report.
template <class S>
struct result_array {
    std::string name;
    std::span<S const> numbers;
};
/// y and every gradient that the policy has.
template <class S>
std::vector<result_array<S>> arrays_of(checked_policy const& policy, attention_results<S> const& r) {
    std::vector<result_array<S>> all{{"y", numbers_in(r.y)}, {"dq", numbers_in(r.dq)}, {"dk", numbers_in(r.dk)}, {"dv", numbers_in(r.dv)}};
    if (policy.reads_input) all.push_back({"dx", numbers_in(r.d_input)});
    for (std::size_t i = 0; i < r.d_parameters.size(); ++i) all.push_back({text("d", policy.parameter_names[i]), r.d_parameters[i]});
    return all;
}

/// |found - expected| relative to the expected value, the array's root mean square and `unit`; infinite for what is not a number.
inline void compare(policy_check& c, std::string const& what, std::span<float const> found, std::span<double const> expected, double unit) {
    double squares = 0;
    for (double e : expected) squares += e * e;
    double const typical = std::sqrt(squares / std::max<double>(1, static_cast<double>(expected.size())));
    for (std::size_t i = 0; i < expected.size(); ++i) {
        double const x = static_cast<double>(found[i]), e = expected[i], off = std::abs(x - e) / (std::abs(e) + typical + unit);
        if (!(off <= c.worst)) {
            c.worst = std::isnan(off) ? HUGE_VAL : off;
            c.where = text(what, "[", i, "]: ", x, ", expected ", e);
        }
    }
}

inline call_sizes sizes_of(index_t B, index_t H, index_t T, index_t D, index_t H_kv = 0) {
    call_sizes n{B, H, T, D, H * D, 1 / std::sqrt(static_cast<double>(D))};
    n.H_kv = H_kv;
    return n;
}

inline policy_check differences_check(checked_policy const& policy) {
    policy_check c{"gradients against differences, double", 0, 1e-4};
    if (policy.stops_gradient) {
        c.skipped = "stop_gradient makes them differ on purpose";
        return c;
    }
    auto in = drawn_inputs(policy, sizes_of(1, 2, 5, 4, policy.keys_have_heads ? 2 : 1), 1);
    auto const g = policy.on_ref(in, attention_layout::separate);
    std::vector<checked_array> arrays{{"q", *in.q, numbers_in(g.dq)}, {"k", *in.k, numbers_in(g.dk)}, {"v", *in.v, numbers_in(g.dv)}};
    if (policy.reads_input) arrays.push_back({"x", *in.input, numbers_in(g.d_input)});
    for (std::size_t i = 0; i < in.parameters.size(); ++i)
        arrays.push_back({std::string(policy.parameter_names[i]), in.parameters[i], g.d_parameters[i]});
    auto const weighted_sum = [&] {
        auto const y = policy.on_ref(in, attention_layout::separate).y;
        return std::inner_product(y.data(), y.data() + y.size(), in.dy.data(), 0.0);
    };
    difference_settings settings;
    settings.floor = 0.01;   // an epsilon held fixed on the way back (softpick's) may be off by some 1e-7
    auto const report = check_gradient(weighted_sum, arrays, settings);
    c.worst = report.worst;
    c.where = report.worst > c.allowed ? report.line() : "";
    return c;
}

/// Where an expected value is known to float rounding only: a kink may fall either way.
inline policy_check kernel_check(checked_policy const& policy, char const* name, std::vector<call_sizes> const& all) {
    constexpr double allowed = 2e-4, unit = 0.1;
    policy_check c{name, 0, allowed};
    for (auto const& n : all) {
        auto const in = drawn_inputs(policy, n, static_cast<std::uint64_t>(n.T * 100 + n.D));
        auto const found = policy.on_device(in, attention_layout::packed);
        auto const expected = policy.on_ref(in, attention_layout::separate);
        auto const f = arrays_of(policy, found);
        auto const e = arrays_of(policy, expected);
        for (std::size_t i = 0; i < e.size(); ++i)
            compare(c, text("T ", n.T, ", D ", n.D, ": ", e[i].name), f[i].numbers, e[i].numbers, unit);
    }
    if (c.passed()) c.where.clear();
    return c;
}

inline policy_check causality_check(checked_policy const& policy) {
    policy_check c{"later tokens change nothing before them", 0, 0};
    index_t const T = 70, from = 40;
    if (!policy.causal(T)) {
        c.skipped = "the mask shows later keys: a model of it reads what it predicts";
        return c;
    }
    auto in = drawn_inputs(policy, sizes_of(1, 2, T, 8), 3);
    auto const before = policy.on_device(in, attention_layout::separate).y;
    each_entry({1, 2, T, 8}, [&](index_t b, index_t h, index_t t, index_t e) {
        if (t >= from) in.q(b, h, t, e) += 1, in.k(b, h, t, e) -= 2, in.v(b, h, t, e) *= -3;
    });
    for (index_t t = from; t < T; ++t)
        for (index_t e = 0; e < in.n.width; ++e) in.input(0, t, e) += 1;
    auto const after = policy.on_device(in, attention_layout::separate).y;
    each_entry({1, 2, from, 8}, [&](index_t b, index_t h, index_t t, index_t e) {
        double const off = std::abs(static_cast<double>(before(b, h, t, e)) - static_cast<double>(after(b, h, t, e)));
        if (!(off <= c.worst)) c.worst = off, c.where = text("y at position ", t);
    });
    return c;
}

inline policy_check determinism_check(checked_policy const& policy) {
    policy_check c{"the same bits again", 0, 0};
    auto const in = drawn_inputs(policy, sizes_of(2, 2, 130, 16), 4);
    auto const first = policy.on_device(in, attention_layout::separate), second = policy.on_device(in, attention_layout::separate);
    auto const a = arrays_of(policy, first), b = arrays_of(policy, second);
    for (std::size_t i = 0; i < a.size(); ++i)
        if (std::memcmp(a[i].numbers.data(), b[i].numbers.data(), a[i].numbers.size_bytes()) != 0) c.worst = 1, c.where = a[i].name;
    return c;
}

/// Scores to some 1e4: everything stays finite.
inline policy_check extreme_check(checked_policy const& policy) {
    policy_check c{"scores of 1e4: finite, forward and backward", 0, 0};
    auto const in = drawn_inputs(policy, sizes_of(1, 2, 70, 8), 5, 60);
    auto const out = policy.on_device(in, attention_layout::separate);
    for (auto const& array : arrays_of(policy, out))
        for (float const e : array.numbers)
            if (!std::isfinite(e)) c.worst = HUGE_VAL, c.where = text(array.name, " holds ", e);
    return c;
}

}  // namespace detail

/// Runs every check: gradients of inputs and of every parameter against differences in double; the device's kernel against the double
/// reference, at sizes around the edges of tiles and with grouped queries; causality by changing later tokens at fixed T; the same
/// bits twice; scores of 1e4. `attnlab`'s programs offer it as the command `check`.
inline policy_report check_policy(checked_policy const& policy) {
    using namespace detail;
    std::vector<call_sizes> const plain{sizes_of(2, 2, 1, 8), sizes_of(2, 2, 5, 6), sizes_of(1, 2, 37, 16), sizes_of(1, 2, 64, 8),
                                        sizes_of(1, 2, 129, 10)};
    std::vector<call_sizes> const grouped{sizes_of(2, 4, 70, 8, 2), sizes_of(1, 4, 33, 8, 1)};
    policy_report report;
    report.checks.push_back(differences_check(policy));
    report.checks.push_back(kernel_check(policy, "kernel against reference", plain));
    if (!policy.keys_have_heads) report.checks.push_back(kernel_check(policy, "kernel against reference, grouped queries", grouped));
    report.checks.push_back(causality_check(policy));
    report.checks.push_back(determinism_check(policy));
    report.checks.push_back(extreme_check(policy));
    return report;
}
template <class Policy, class Device = cpu>
policy_report check_policy() {
    return check_policy(make_checked<Policy, Device>());
}

/// The same, printed as a table under a name. Returns whether all passed.
inline bool check_policy(checked_policy const& policy, std::ostream& out, std::string const& name) {
    auto const report = check_policy(policy);
    out << name << (report.passed() ? ": all checks passed\n" : ": FAILED\n") << report;
    return report.passed();
}
template <class Policy, class Device = cpu>
bool check_policy(std::ostream& out, std::string const& name) {
    return check_policy(make_checked<Policy, Device>(), out, name);
}

}  // namespace attnlab
