#pragma once
#include <string>
#include <utility>

#include <attnlab/analysis/format.hpp>
#include <attnlab/analysis/outliers/weight_ratio.hpp>
#include <attnlab/analysis/views/survey.hpp>
#include <attnlab/analysis/views/token_sequences.hpp>
#include <attnlab/analysis/views/view.hpp>
#include <attnlab/observe/language_model.hpp>

namespace attnlab {

/// What was looked at, and by which rules: without it the numbers of a page say nothing.
inline view_section how_it_was_run(model_facts const& f, survey const& s, token_sequences const& x) {
    table t{"", {"", ""}, {}, {align::left, align::left}};
    auto const heads =
        f.kv_heads < f.heads ? text(plural(f.heads, "head"), ", ", f.kv_heads, " of keys and values") : plural(f.heads, "head");
    t.add({"model", text(f.name, " (", f.family, "), attention ", f.attention, ", weights ", f.stored)});
    t.add({"size", text(plural(f.layers, "layer"), ", width ", f.width, ", ", heads,
                        f.experts > 0 ? text(", ", plural(f.experts, "expert")) : text(", MLP ", f.mlp_width), ", ",
                        number(static_cast<double>(f.parameters)), " parameters")});
    t.add({"sequences", text(x.count(), " of ", plural(x.length(), "token"), ", from ", x.from,
                             x.bos ? *x.bos ? ", each after BOS" : ", without BOS" : "")});
    t.add({"activation outlier",
           text("|x| above ", number(s.layer_out().factor()), " times the mean |x| of its layer and sequence")});
    t.add({"attention outlier",
           text("a key whose column sum, mean over heads, is at least ", number(s.attention().rule().share), " T")});
    t.add({"weight outlier",
           text("|W| above ", number(weight_ratio{}.factor), " times the mean |W| of its column of the down projection")});
    return {"How it was run", {"Layers, heads, positions and channels count from 0."}, {}, {{"", std::move(t), {}}}};
}

}  // namespace attnlab
