#pragma once
#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/analysis/format.hpp>
#include <attnlab/analysis/summary.hpp>
#include <attnlab/io/table.hpp>

/// \file
/// The tables of a report: the policies side by side, the definitions behind the rows, how it was run.

namespace attnlab {
namespace detail {

struct comparison_row {
    std::string title;
    measure_at at;
    enum { one_place, sum_of_layers } fold = one_place;
    int least_decimals = 0;
};

inline std::vector<comparison_row> comparison_rows(manifest const& m) {
    std::vector<comparison_row> rows;
    if (m.has_floor())
        rows = {{"excess, nats", {"excess"}}, {"copy accuracy", {"copy_accuracy"}, comparison_row::one_place, 3}};
    else
        rows = {{"validation loss, nats", {"loss"}, comparison_row::one_place, 3}, {"bits per byte", {"bits_per_byte"}, comparison_row::one_place, 3}};
    auto more = [&](std::vector<comparison_row> next) { rows.insert(rows.end(), next.begin(), next.end()); };
    more({{"L0 BOS mass", {"bos_mass", 0}}});
    if (m.has_floor()) more({{"\u2003at triggers", {"bos_mass_trigger", 0}}, {"\u2003elsewhere", {"bos_mass_ordinary", 0}}});
    more({{"L0 value ratio", {"value_ratio", 0}},
          {"sink-and-drain heads", {"sinks_and_drains"}},
          {"sink rate", {"sink_rate"}},
          {"BOS mass × gate, all", {"bos_mass_gated"}},
          {"kurtosis into L0", {"resid_pre.kurtosis", 0}},
          {"max/mean into L0", {"resid_pre.max_over_mean", 0}},
          {"BOS norm ratio into L0", {"resid_pre.bos_norm_ratio", 0}},
          {"outlier tokens, 50 ×", {"resid_post.outliers_50x"}, comparison_row::sum_of_layers},
          {"outlier tokens, 1000 ×", {"resid_post.outliers_1000x"}, comparison_row::sum_of_layers},
          {"slot mass", {"slot_mass"}},
          {"mean gate", {"gate"}}});
    if (m.has_floor()) more({{"steps to excess 0.1", {"steps_to_excess_0.1"}}, {"steps to excess 0.05", {"steps_to_excess_0.05"}}});
    more({{"training tokens/s", {"tokens_per_second"}}, {"parameters", {"parameters"}}});
    return rows;
}

inline std::string comparison_cell(results const& mine, std::string const& policy, comparison_row const& row, std::size_t seeds) {
    auto const e = row.fold == comparison_row::sum_of_layers
                       ? over_layers(mine, policy, row.at.metric, [](double a, double b) { return a + b; })
                       : mine.last(policy, row.at);
    // A run that never got there has a row without a number.
    if (row.at.metric.starts_with("steps_to_") && e.count == 0 && e.missing > 0) return "not reached";
    return mean_and_interval(e, e.empty() ? 0 : seeds, row.least_decimals);
}

}  // namespace detail

/// Measures down, policies across: mean and 95 % interval over seeds. What no run measured is shown as `absent`.
inline table comparison_table(manifest const& m, results const& all, std::vector<policy_summary> const& policies) {
    table t{"", {"measure"}};
    for (auto const& p : policies) t.header.push_back(p.label);
    std::vector<results> mine;
    for (auto const& p : policies) mine.push_back(all.filter({.policy = p.name}));
    for (auto const& row : detail::comparison_rows(m)) {
        std::vector<std::string> cells = {row.title};
        for (std::size_t i = 0; i < policies.size(); ++i)
            cells.push_back(detail::comparison_cell(mine[i], policies[i].name, row, m.seeds.size()));
        t.add(std::move(cells));
    }
    return t;
}

/// Name, definition and source of every metric that has a row, in the order of metrics.hpp; a user's own ones after them.
inline table definitions_table(results const& all) {
    table t{"", {"name", "unit", "definition", "source"}, {}, {align::left, align::left, align::left, align::left}};
    std::set<std::string> used;
    for (auto const& r : all) used.insert(r.metric);
    for (auto const& m : metrics())
        if (used.erase(m.name) > 0) t.add({m.name, m.unit, m.definition, m.source.empty() ? "attnlab" : m.source});
    for (auto const& r : all)
        if (used.erase(r.metric) > 0) t.add({r.metric, "", r.definition, "the user's"});
    return t;
}

/// How it was run, one line a fact.
inline table run_table(manifest const& m) {
    table t{"", {"what", "value"}, {}, {align::left, align::left}};
    std::vector<std::string> seeds;
    for (int s : m.seeds) seeds.push_back(std::to_string(s));
    t.add({"command", m.command});
    t.add({"task", m.task});
    t.add({"policies", joined(m.policies)});
    t.add({"seeds", joined(seeds)});
    t.add({"steps", number(static_cast<double>(m.steps))});
    t.add({"length rule", m.length_rule});
    t.add({"machine", m.machine});
    t.add({"wall clock", number(m.minutes) + " minutes"});
    auto of = [](json const& object) {
        std::string out;
        for (auto const& [key, value] : object.items())
            out += (out.empty() ? "" : ", ") + key + " " + (value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', false, json::error_handler_t::replace));
        return out.empty() ? std::string(absent) : out;
    };
    t.add({"versions", of(m.versions)});
    t.add({"options", of(m.options)});
    return t;
}

}  // namespace attnlab
