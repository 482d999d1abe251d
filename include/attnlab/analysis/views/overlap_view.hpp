#pragma once
#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/analysis/views/overlaps.hpp>
#include <attnlab/analysis/views/position_view.hpp>

/// \file
/// `analyze overlap`: whether outliers of activations, attention and weights are the same ones.

namespace attnlab {
namespace detail {

inline std::string ratio_text(std::optional<double> const& x) { return x ? number(*x) : std::string(absent); }

}  // namespace detail

inline view_page overlap_view(model_facts const& facts, survey const& s, weight_survey const& w, token_sequences const& x, json numbers) {
    auto const found = find_overlaps(s, w);
    view_page v{text("One set of outliers? ", facts.name), {}, {}, {}};
    view_section claims{"The claims", {}, {}, {}};
    table t{"", {"A are B", "A", "B", "both", "IoU", "A in B", "B in A", "by chance", "lift", "log10 p"}};
    table exact{"", {"claim", "without_first", "a", "b", "both", "space", "iou", "recall_of_a", "recall_of_b", "expected", "lift", "log10_p"}};
    json all = json::object();
    bool first_left_out = false;
    for (auto const& c : found.claims) {
        all[c.name] = to_json(c.found);
        all[c.name]["claim"] = c.claim;
        auto const add = [&](set_overlap const& o, std::string const& words, bool without) {
            t.add({words, std::to_string(o.a), std::to_string(o.b), std::to_string(o.both), detail::ratio_text(o.iou), detail::ratio_text(o.recall_of_a), detail::ratio_text(o.recall_of_b),
                   detail::ratio_text(o.expected), detail::ratio_text(o.lift), detail::ratio_text(o.log10_p)});
            auto const cell_of = [](std::optional<double> const& v) { return v ? exact_cell(*v) : std::string(); };
            exact.add({c.name, without ? "1" : "0", std::to_string(o.a), std::to_string(o.b), std::to_string(o.both), exact_cell(o.space), cell_of(o.iou), cell_of(o.recall_of_a), cell_of(o.recall_of_b),
                       cell_of(o.expected), cell_of(o.lift), cell_of(o.log10_p)});
        };
        add(c.found.all, c.claim, false);
        if (c.found.without_first) add(*c.found.without_first, "\u2026 without position 0", true), first_left_out = true;
        auto const& o = c.found.all;
        if (o.iou) v.summary.push_back(text(static_cast<char>(std::toupper(static_cast<unsigned char>(c.claim[0]))), c.claim.substr(1), ": ", o.both, " of ", o.a, " and ", o.b, ", IoU ", number(*o.iou),
                                            c.found.without_first && c.found.without_first->iou ? text("; without position 0 IoU ", number(*c.found.without_first->iou)) : std::string(), "."));
    }
    if (v.summary.empty()) v.summary.push_back("There are no outliers of these kinds: nothing coincides, nothing differs.");
    claims.paragraphs.push_back("IoU: both over A or B. By chance: how many would be in both if A were thrown anywhere into the space; lift: how many times that; log10 p: of so many or more (hypergeometric). "
                                "Tokens that are outliers in one layer mostly are in the next, so that p of many layers reads smaller than it is." + std::string(first_left_out ? " Position 0 is a sink of nearly every model: agreement there is no evidence." : ""));
    view_figure by_offset{"overlap", "IoU of activation outliers and keys so many layers later, and of weights with channels and neurons. Dark: all positions; light: without position 0. A missing bar: both sets are empty.", {}};
    panel p;
    p.y.label = "intersection over union", p.y.range = {0, 1};
    bars with, without;
    with.label = "all", without.label = "without position 0";
    without.colours = {5};
    for (auto const& c : found.claims) {
        auto const offset = c.found.all.options.layer_offset;
        auto const any = c.name.ends_with("in_any_layer") ? ", any layer" : "";
        p.x.names.push_back(c.name.starts_with("rows") ? text("weight rows, channels", any) : c.name.starts_with("columns") ? text("weight columns, neurons", any) : *any ? text("tokens, keys", any)
                            : offset == 0 ? "tokens, keys, same layer" : text("tokens, keys ", offset, offset == 1 ? " layer later" : " layers later"));
        with.values.push_back(c.found.all.iou.value_or(std::nan("")));
        without.values.push_back(c.found.without_first ? c.found.without_first->iou.value_or(std::nan("")) : std::nan(""));
    }
    p.groups = {std::move(with), std::move(without)};
    by_offset.value.aspect = 0.4;
    by_offset.value.panels = {std::move(p)};
    claims.figures.push_back(std::move(by_offset));
    claims.tables.push_back({"overlap", std::move(t), std::move(exact)});
    v.sections.push_back(std::move(claims));

    view_section layers{"Layer by layer", {"Of the first sequence: tokens with outliers in a layer's output, and keys with outlying attention in the same layer."}, {}, {}};
    table by_layer{"", {"layer", "outlier tokens", "outlier keys", "IoU"}};
    auto const tokens = s.layer_out().outliers().project<axis::sequence, axis::layer, axis::token>();
    auto const keys = s.attention().outliers();
    for (std::size_t l = 0; l < found.by_layer.size(); ++l) {
        auto const names = [&](auto const& set) {
            std::vector<std::string> out;
            for (auto const& e : set)
                if (e.at[0] == 0 && e.at[1] == static_cast<index_t>(l)) out.push_back(token_mark(x, e.at[2]));
            if (out.size() > 8) out.resize(8), out.push_back("\u2026");
            return out.empty() ? std::string(absent) : joined(out);
        };
        by_layer.add({std::to_string(l), names(tokens), names(keys), detail::ratio_text(found.by_layer[l])});
    }
    layers.tables.push_back({"overlap_by_layer", std::move(by_layer), {}});
    v.sections.push_back(std::move(layers));
    v.numbers = std::move(numbers);
    v.numbers["overlaps"] = std::move(all);
    return v;
}

}  // namespace attnlab
