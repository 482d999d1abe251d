#pragma once
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include <omp.h>

#include <attnlab/cli/benchmark_analysis.hpp>
#include <attnlab/cli/benchmark_attention.hpp>
#include <attnlab/cli/benchmark_machine.hpp>
#include <attnlab/cli/benchmark_step.hpp>
#include <attnlab/cli/machine.hpp>
#include <attnlab/cli/open_folder.hpp>
#include <attnlab/cli/options.hpp>

/// \file
/// `attnlab benchmark WHAT`: lines `name value unit`. One of these files for each WHAT.

namespace attnlab {

struct benchmark_settings {
    std::string what;
    std::vector<std::string> policies;  ///< empty: all
    std::vector<std::string> sizes = {"demo"};
    std::vector<index_t> B;  ///< empty: 1 in attention, in a step what its size says
    std::vector<index_t> T = {1024}, H = {12}, D = {64};
    std::filesystem::path model;   ///< analysis: a folder in place of policies
    index_t n_kv_head = 0;     ///< 0: H
    std::string device = "cpu", dtype = "float32";
    std::vector<int> threads;  ///< empty: as OpenMP is set
    double seconds = 1;        ///< spent on each figure
};

/// What can be timed, and the options that mean something there besides --threads and --seconds.
struct benchmark_kind {
    std::string name;
    std::vector<std::string> options;
};
inline std::vector<benchmark_kind> benchmark_kinds() {
    return {{"attention", {"policies", "B", "T", "H", "D", "n_kv_head", "device", "dtype"}},
            {"step", {"policies", "sizes", "B", "device", "dtype"}},
            {"analysis", {"policies", "T", "model", "device"}},
            {"machine", {}}};
}

inline void declare(option_table& o, benchmark_settings& s) {
    constexpr double most = 200000;
    o.positional("WHAT", s.what, "attention, step (of training), analysis (what looking costs) or machine (its limits)");
    o.add("seconds", s.seconds, "spent on each figure, five repeats at least", at_least{0});
    o.add("threads", s.threads, "numbers of threads; nothing: as OMP_NUM_THREADS says", each<between>{{1, 1024}});
    declare_device(o, s.device);
    o.add("dtype", s.dtype, "step, attention on a GPU: what is multiplied (tfloat32: step on a GPU); sums stay float32", one_of{{"float32", "tfloat32", "bfloat16"}});
    o.add("policies", s.policies, "attention, step, analysis: which ones; nothing: all of them");
    o.add("sizes", s.sizes, "step: models", one_of{{"demo", "tiny", "small", "gpt2-124m"}});
    o.add("model", s.model, "analysis: a Hugging Face folder in place of policies");
    o.add("B", s.B, "attention, step: sequences; nothing: 1 in attention, as --sizes says in a step", each<between>{{1, most}});
    o.add("T", s.T, "attention, analysis: lengths", each<between>{{1, most}});
    o.add("H", s.H, "attention: heads", each<between>{{1, most}});
    o.add("D", s.D, "attention: sizes of a head", each<between>{{1, most}});
    o.add("n_kv_head", s.n_kv_head, "attention: heads of k and v; 0: as H", between{0, most});
}

/// \throws usage_error for an unknown WHAT, and for options that WHAT does not have
inline void check_benchmark(option_table const& o, benchmark_settings const& s) {
    auto const kinds = benchmark_kinds();
    auto const has = [](std::vector<std::string> const& names, std::string const& name) {
        return std::find(names.begin(), names.end(), name) != names.end();
    };
    std::vector<std::string> names;
    for (auto const& kind : kinds) names.push_back(kind.name);
    if (!has(names, s.what)) fail<usage_error>("'", s.what, "': expected one of ", joined(names));
    for (auto const& kind : kinds)
        for (auto const& name : kind.options)
            for (auto const& chosen : kinds)
                if (chosen.name == s.what && o.given(name) && !has(chosen.options, name))
                    fail<usage_error>("--", name, ": no option of benchmark ", s.what, ", but of benchmark ", kind.name);
}

/// Times what the settings ask for; `chosen` are the policies.
inline void benchmark_command(std::vector<experiment const*> const& chosen, benchmark_settings const& s) {
    // The product of the lists, each size checked before the first is timed.
    std::vector<attention_sizes> sizes;
    for (index_t const B : s.B.empty() ? std::vector<index_t>{1} : s.B)
        for (index_t const T : s.T)
            for (index_t const H : s.H)
                for (index_t const D : s.D) sizes.push_back({B, H, T, D, s.n_kv_head});
    if (s.what == "attention")
        for (auto const* e : chosen)
            for (auto const& n : sizes) detail::check_attention_sizes(*e, n);

    use_device(s.device);
    auto const products = precision_named(s.dtype);
    if (s.what == "attention" && s.dtype != "float32" && s.device == "cpu") fail<usage_error>("--dtype: '", s.dtype, "': expected float32: attention multiplies floats on the cpu");
    if (s.what == "attention" && s.dtype == "tfloat32") fail<usage_error>("--dtype: 'tfloat32': expected float32 or bfloat16: only Linears and the head round to it");
    auto known = versions();
    known.update(device_facts(s.device));
    std::cout << "# machine: " << cpu_name() << "\n# versions:";
    for (auto const& [what, value] : known.items()) std::cout << ' ' << what << ' ' << value.get<std::string>() << ';';
    std::cout << std::endl;
    for (int const threads : s.threads.empty() ? std::vector{omp_get_max_threads()} : s.threads) {
        omp_set_num_threads(threads);
        if (s.what == "machine") benchmark_machine(s.seconds);
        if (!s.model.empty()) {
            auto const model = open_folder(s.model, s.device);
            for (index_t const T : s.T) benchmark_analysis(*model, T, s.seconds, s.device);
            continue;
        }
        for (auto const* e : chosen) {
            if (s.what == "attention")
                for (auto const& n : sizes) benchmark_attention(*e, n, s.seconds, {s.device, products});
            if (s.what == "analysis")
                for (index_t const T : s.T) benchmark_analysis(*e, T, s.seconds, s.device);
            if (s.what == "step")
                for (auto const& size : s.sizes)
                    for (index_t const B : s.B.empty() ? std::vector<index_t>{step_size_of(size).batch} : s.B)
                        benchmark_step(*e, size, B, s.seconds, {s.device, products});
        }
    }
}

}  // namespace attnlab
