#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <variant>

#include <attnlab/analysis/outliers/outlier_set.hpp>
#include <attnlab/analysis/outliers/overlap.hpp>
#include <attnlab/io/json.hpp>

/// \file
/// Outlier sets and overlaps as JSON: all of a set's provenance, null where something is not known or not defined.

namespace attnlab {

inline json to_json(provenance const& p) {
    json parameters = json::object();
    for (auto const& [name, value] : p.parameters)
        std::visit([&, &key = name](auto const& v) {
            if constexpr (std::is_same_v<std::decay_t<decltype(v)>, double>) parameters[key] = json_number(v);
            else parameters[key] = v;
        }, value);
    return {{"rule", p.rule},           {"parameters", parameters},   {"site", p.site},         {"dtype", p.dtype},
            {"bos", p.bos ? json(*p.bos) : json()}, {"length", p.length}, {"sequences", p.sequences}, {"values", p.values},
            {"not_finite", p.not_finite}, {"steps", p.steps}};
}

/// {"from": {...}, "axes": [...], "space": {"layer": {"extent":, "begin":, "end":}, ...}, "outliers":
/// [[coordinate..., value], ...]}
template <class... Axes>
json to_json(outlier_set<Axes...> const& set) {
    using axes = axis_list<Axes...>;
    json out{{"from", to_json(set.about())}, {"axes", axes::names}};
    for (std::size_t a = 0; a < axes::size; ++a) {
        auto const& r = set.ranges()[a];
        out["space"][std::string(axes::names[a])] = {{"extent", r.extent}, {"begin", r.begin}, {"end", r.end}};
    }
    out["outliers"] = json::array();
    for (auto const& e : set) {
        json one = e.at;
        one.push_back(json_number(e.value));
        out["outliers"].push_back(std::move(one));
    }
    return out;
}

inline json to_json(set_overlap const& o) {
    auto const number = [](std::optional<double> const& x) { return x ? json_number(*x) : json(); };
    return {{"a", o.a}, {"b", o.b}, {"both", o.both}, {"a_outside", o.a_outside}, {"b_outside", o.b_outside},
            {"space", json_number(o.space)}, {"iou", number(o.iou)}, {"recall_of_a", number(o.recall_of_a)},
            {"recall_of_b", number(o.recall_of_b)}, {"coefficient", number(o.coefficient)}, {"hits", o.hits}, {"reach", o.reach},
            {"expected", number(o.expected)}, {"lift", number(o.lift)}, {"p", number(o.p())}, {"log10_p", number(o.log10_p)},
            {"layer_offset", o.options.layer_offset}, {"slack", o.options.slack}, {"without_first", o.options.without_first},
            {"a_from", to_json(o.a_from)}, {"b_from", to_json(o.b_from)}};
}

inline json to_json(overlap_pair const& o) {
    return {{"all", to_json(o.all)}, {"without_first", o.without_first ? to_json(*o.without_first) : json()}};
}

}  // namespace attnlab
