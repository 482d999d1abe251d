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
#include <attnlab/analysis/views/survey_json.hpp>
#include <attnlab/analysis/views/view.hpp>
#include <attnlab/analysis/views/words.hpp>

/// \file
/// `analyze overlap`: whether outliers of activations, attention and weights are the same ones.

namespace attnlab {
namespace detail {

inline std::string ratio_text(std::optional<double> const& x) { return x ? number(*x) : std::string(absent); }

}  // namespace detail

inline view_page overlap_view(model_facts const& facts, survey const& s, weight_survey const& w, token_sequences const& x,
                              json numbers) {
    auto const found = find_overlaps(s, w);
    view_page v{text("One set of outliers? ", facts.name), {}, {}, {}};
    view_section claims{"The claims", {}, {}, {}};
    table t{"", {"A are B", "A", "B", "both", "IoU", "A in B", "B in A", "by chance", "lift", "log10 p"}};
    table exact{"",
                {"claim", "without_first", "a", "b", "both", "space", "iou", "recall_of_a", "recall_of_b", "expected", "lift",
                 "log10_p"}};
    json all = json::object();
    bool first_left_out = false;
    for (auto const& c : found.claims) {
        all[c.name] = to_json(c.found);
        all[c.name]["claim"] = c.claim;
        auto const add = [&](set_overlap const& o, std::string const& words, bool without) {
            t.add({words, std::to_string(o.a), std::to_string(o.b), std::to_string(o.both), detail::ratio_text(o.iou),
                   detail::ratio_text(o.recall_of_a), detail::ratio_text(o.recall_of_b), detail::ratio_text(o.expected),
                   detail::ratio_text(o.lift), detail::ratio_text(o.log10_p)});
            auto const cell_of = [](std::optional<double> const& v) { return v ? exact_cell(*v) : std::string(); };
            exact.add({c.name, without ? "1" : "0", std::to_string(o.a), std::to_string(o.b), std::to_string(o.both),
                       exact_cell(o.space), cell_of(o.iou), cell_of(o.recall_of_a), cell_of(o.recall_of_b), cell_of(o.expected),
                       cell_of(o.lift), cell_of(o.log10_p)});
        };
        add(c.found.all, c.claim, false);
        if (c.found.without_first) add(*c.found.without_first, "\u2026 without position 0", true), first_left_out = true;
        auto const& o = c.found.all;
        if (o.a > 0 && o.b > 0)
            v.summary.push_back(text(static_cast<char>(std::toupper(static_cast<unsigned char>(c.claim[0]))), c.claim.substr(1),
                                     ": ", o.both, " of ", o.a, " and ", o.b, ", IoU ", number(*o.iou),
                                     c.found.without_first && c.found.without_first->iou
                                         ? text("; without position 0 IoU ", number(*c.found.without_first->iou))
                                         : std::string(),
                                     "."));
    }
    auto const missing = [&](bool none, std::string const& what) {
        if (none) v.summary.push_back("There are no " + what + ": of what is claimed of them nothing can be judged.");
    };
    missing(s.layer_out().outliers().empty(),
            text("outliers in layer outputs above ", number(s.layer_out().factor()), " times the mean |x|"));
    missing(!s.down_in().empty() && s.down_in().outliers().empty(), "such outliers in inputs of down projections");
    missing(s.attention().outliers().empty(), "attention outliers");
    missing(w.outliers && w.outliers->empty(), "weight outliers");
    claims.paragraphs.push_back(
        "IoU: both over A or B. By chance: how many would be in both if A were thrown anywhere into the space; lift: how many "
        "times that; log10 p: of so many or more (hypergeometric). "
        "Tokens that are outliers in one layer mostly are in the next, so that p of many layers reads smaller than it is." +
        std::string(first_left_out ? " Position 0 is a sink of nearly every model: agreement there is no evidence." : ""));
    view_figure by_offset{"overlap",
                          "IoU of tokens with activation outliers and keys with attention outliers, of the same layer, so many "
                          "layers later, or of any layer; of rows and columns with outlying weights and channels and neurons "
                          "with outliers. A missing bar: both sets are empty, or there are no positions.",
                          {}};
    bool any = false;
    panel p;
    p.y.label = "intersection over union", p.y.range = {0, 1};
    bars with, without;
    with.label = "all", without.label = "without position 0";
    without.colours = {5};
    for (auto const& c : found.claims) {
        auto const offset = c.found.all.options.layer_offset;
        auto const of = c.name.substr(0, c.name.find('_'));  // tokens, rows, columns
        p.x.names.push_back(of + (c.name.ends_with("in_any_layer") ? ", any layer"
                                  : offset == 0                    ? ", same layer"
                                                                   : text(", +", offset, offset == 1 ? " layer" : " layers")));
        any = any || c.found.all.iou.value_or(0) > 0;
        with.values.push_back(c.found.all.iou.value_or(std::nan("")));
        without.values.push_back(c.found.without_first ? c.found.without_first->iou.value_or(std::nan("")) : std::nan(""));
    }
    p.groups = {std::move(with), std::move(without)};
    by_offset.value.aspect = 0.4;
    by_offset.value.panels = {std::move(p)};
    if (any) claims.figures.push_back(std::move(by_offset));
    claims.tables.push_back({"overlap", std::move(t), std::move(exact)});
    v.sections.push_back(std::move(claims));

    view_section layers{
        "Layer by layer",
        {"Of the first sequence: tokens with outliers in a layer's output, and keys with outlying attention in the same layer."},
        {},
        {}};
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
    layers.tables.push_back({"", std::move(by_layer), {}});
    v.sections.push_back(std::move(layers));
    v.numbers = std::move(numbers);
    v.numbers["overlaps"] = std::move(all);
    return v;
}

}  // namespace attnlab
