#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/analysis/views/existence_figures.hpp>
#include <attnlab/analysis/views/lifecycle_figures.hpp>
#include <attnlab/analysis/views/lifecycle_json.hpp>
#include <attnlab/analysis/views/view.hpp>
#include <attnlab/analysis/views/words.hpp>

/// \file
/// `analyze lifecycle`: where outliers are born, how they spread to attention, where they vanish, and whether the neurons that
/// are said to make them do.

namespace attnlab {
namespace detail {

inline view_table written_table(std::string name, std::string title, std::vector<written_entry> const& entries,
                                token_sequences const& x) {
    view_table out{std::move(name),
                   {std::move(title),
                    {"token", "channel", "before", "attention adds", "MLP adds", "after", "neuron", "its activation",
                     "W[channel, neuron]", "|W| / mean of column", "it adds"}},
                   {"",
                    {"token", "channel", "before", "attention_adds", "mlp_adds", "after", "neuron", "activation", "weight",
                     "weight_ratio", "adds"}}};
    for (auto const& w : entries)
        for (std::size_t k = 0; k < std::max<std::size_t>(1, std::min<std::size_t>(3, w.neurons.size())); ++k) {
            if (k > 0 && std::abs(w.neurons[k].adds) < 0.001 * std::abs(w.neurons[0].adds)) break;
            std::vector<std::string> shown{token_mark(x, w.token), std::to_string(w.channel)},
                exact{std::to_string(w.token), std::to_string(w.channel)};
            for (double v : {w.before, w.attention, w.mlp, w.after})
                shown.push_back(k == 0 ? number(v) : ""), exact.push_back(exact_cell(v));
            if (k > 0) shown[0] = shown[1] = "";
            if (k < w.neurons.size()) {
                auto const& n = w.neurons[k];
                shown.push_back(std::to_string(n.neuron)), exact.push_back(std::to_string(n.neuron));
                for (double v : {n.activation, n.weight, n.weight_ratio, n.adds})
                    shown.push_back(number(v)), exact.push_back(exact_cell(v));
            }
            shown.resize(11), exact.resize(11);
            out.value.add(std::move(shown)), out.exact.add(std::move(exact));
        }
    return out;
}

/// "the MLP adds 5999, of which neuron 77 makes 100 % (activation 530 times weight 11.3)".
inline std::string writer_words(written_entry const& w) {
    if (std::abs(w.mlp) < std::abs(w.attention)) return text("attention adds ", number(w.attention));
    auto const said = text("the MLP adds ", number(w.mlp));
    if (w.neurons.empty()) return said + " (a mixture of experts, whose neurons are not looked at)";
    auto const& n = w.neurons[0];
    return text(said, ", of which neuron ", n.neuron, " makes ", number(100 * n.adds / w.mlp, 0), " % (activation ",
                number(n.activation), " times weight ", number(n.weight), ")");
}

inline std::vector<std::string> lifecycle_summary(lifecycle const& c, survey const& s, token_sequences const& x) {
    auto const& life = c.life;
    std::vector<std::string> out, tokens;
    for (index_t t : life.tokens) tokens.push_back(token_mark(x, t));
    if (!life.by_rule)
        out.push_back(text("No layer output has an outlier by the rule (", number(s.layer_out().factor()),
                           " times the mean |x|). The largest entry is followed in its place; it counts as alive from half of "
                           "its largest value on."));
    out.push_back(text("Birth: layer ", life.birth, ", ", named("token", tokens), ", ", named("channel", life.channels),
                       ". To the largest ", writer_words(c.birth.at(0)), "."));
    auto const& h = *c.head;
    out.push_back(text(life.spread_by_rule ? "Spread: followed tokens are attention outliers in "
                                           : "Spread: no followed token is an attention outlier; they receive the most in ",
                       named("layer", life.spread), ". In layer ", h.layer, " head ", h.head, " gives token ",
                       token_mark(x, h.token), " ", number(100 * h.share, 0), " % of its attention; the value there has ",
                       number(h.value_norm_ratio), " times the norm of the others' mean."));
    if (life.vanish)
        out.push_back(text("End: layer ", *life.vanish, ". To what was ", number(c.vanish.at(0).before), " ",
                           writer_words(c.vanish[0]), "."));
    else
        out.push_back("End: none, they leave the last layer.");
    if (c.test.size() == 3)
        out.push_back(text("Test, on the first sequence: with ", named("neuron", c.makers), " of layer ", life.birth, " at zero, ",
                           c.test[0].outliers > 0 ? text(c.test[1].outliers, " of ", plural(c.test[0].outliers, "outlier"), " left; ")
                                                  : std::string(),
                           "the largest |x| goes from ",
                           number(c.test[0].largest), " to ", number(c.test[1].largest), ", the tokens' share of attention from ",
                           number(c.test[0].share), " to ", number(c.test[1].share), ", the loss from ",
                           number(c.test[0].loss, 3), " to ", number(c.test[1].loss, 3), " nats a token (to ",
                           number(c.test[2].loss, 3), " with as many others at zero)."));
    return out;
}

inline view_section life_section(lifecycle const& c, survey const& s, token_sequences const& x) {
    view_section out{"Timeline", {}, {}, {}};
    auto const& entries = c.life.entries;
    out.figures.push_back({"timeline",
                           "The followed entries when they leave each layer, and what attention and MLP add to them there (after "
                           "a norm, where the model has one there).",
                           life_timeline(c.life, x)});
    out.figures.push_back(
        {"attention_share",
         "Share of all attention that the followed tokens receive, mean over heads and bars from the least head to the most.",
         life_shares(s.attention(), c.life, x)});
    view_table t{"timeline", {"Token and channel: what leaves a layer", {"layer"}}, {"", {"layer"}}};
    for (auto const& e : entries) {
        t.value.header.push_back(text(e.token, ", ", e.channel));
        for (char const* what : {"after", "attention", "mlp"})
            t.exact.header.push_back(text(what, "[", e.token, ",", e.channel, "]"));
    }
    for (std::size_t l = 0; l < entries.at(0).after.size(); ++l) {
        std::vector<std::string> shown{std::to_string(l)}, exact{std::to_string(l)};
        for (auto const& e : entries) {
            shown.push_back(number(e.after[l]));
            for (auto const* values : {&e.after, &e.attention, &e.mlp}) exact.push_back(exact_cell((*values)[l]));
        }
        t.value.add(std::move(shown)), t.exact.add(std::move(exact));
    }
    out.tables.push_back(std::move(t));
    return out;
}

inline view_section birth_section(language_model& model, lifecycle const& c, weight_survey const& w, token_sequences const& x) {
    auto const& life = c.life;
    auto const& down_matrix = model.facts().down_matrix;
    view_section out{text("Birth: layer ", life.birth), {}, {}, {}};
    out.figures.push_back({"birth",
                           text("What stands at the sites of the MLP of layer ", life.birth, " at token ",
                                token_mark(x, life.tokens[0]), ", and between what all other tokens lie."),
                           life_tensors(c.rows, life.birth)});
    out.tables.push_back(written_table("birth", "What makes each entry", c.birth, x));
    if (c.makers.empty()) return out;
    index_t const f = c.makers[0];
    figure weights;
    weights.shared_axes = false, weights.width = 1000, weights.aspect = 0.85;
    weights.panels.push_back(weight_panel(model.weight(life.birth, down_matrix), line::column, f, life.channels, down_matrix));
    table rows{text("Where neuron ", f, " has its value from, at token ", token_mark(x, life.tokens[0])),
               {"matrix", "value", "other tokens", "channel", "input", "weight", "adds"}};
    for (auto const& r : c.behind) {
        std::vector<index_t> marks;
        for (std::size_t k = 0; k < r.inputs.size(); ++k) {
            auto const& in = r.inputs[k];
            if (k > 0 && std::abs(in.adds) < 0.01 * std::abs(r.inputs[0].adds)) break;
            marks.push_back(in.channel);
            rows.add({k == 0 ? r.module : "", k == 0 ? number(r.value) : "", k == 0 ? range_text(r.low, r.high) : "",
                      std::to_string(in.channel), number(in.input), number(in.weight), number(in.adds)});
        }
        weights.panels.push_back(weight_panel(model.weight(life.birth, r.module), line::row, f, marks, r.module));
    }
    weights.columns = weights.panels.size();
    if (weights.columns == 1) weights.width = 620;
    out.figures.push_back({"birth_weights",
                           text("Weights of layer ", life.birth, " around neuron ", f,
                                " (in colour): its column of the down projection, its rows before the activation."),
                           std::move(weights)});
    if (!rows.rows.empty()) out.tables.push_back({"", std::move(rows), {}});
    auto const& top = w.down.at(static_cast<std::size_t>(life.birth)).top;
    bool const known = std::find(top.begin(), top.end(), f) != top.end();
    out.paragraphs.push_back(text("By the weights alone, what stands out most in ", down_matrix, " of this layer is ",
                                  named("column", top),
                                  known ? ": the neuron is among them." : ": the neuron is not among them."));
    return out;
}

inline view_section spread_section(language_model& model, lifecycle const& c, token_sequences const& x) {
    auto const& h = *c.head;
    auto const& facts = model.facts();
    view_section out{text("Spread: layer ", h.layer, ", head ", h.head), {}, {}, {}};
    auto const t =
        static_cast<std::size_t>(std::find(c.life.tokens.begin(), c.life.tokens.end(), h.token) - c.life.tokens.begin());
    out.figures.push_back({"spread",
                           text("From the stream to the scores, at token ", token_mark(x, h.token),
                                ". Queries and keys are those that the scores are made of, after any rotation."),
                           life_head(c.rows, h, t)});
    auto const start = first_tokens(x);
    pattern_maps maps(std::map<index_t, index_t>{{h.layer, h.head}});
    model.forward(start, maps);
    out.figures.push_back(
        {"spread_attention",
         text(
             "Attention weights of layer ", h.layer,
             start.shape(1) < x.length() ? text(", of the first ", start.shape(1), " of ", x.length(), " tokens") : std::string(),
             ": queries down, keys across."),
         existence_patterns(maps)});
    table scores{"Channels of the head that make the score",
                 {"channel of the head", "key", "mean query of the other tokens", "product"}};
    for (auto const& p : h.channels) scores.add({std::to_string(p.at), number(p.key), number(p.mean_query), number(p.adds)});
    out.tables.push_back({"", std::move(scores), {}});
    out.paragraphs.push_back(
        text("Before the scale the mean query scores ", number(h.score), " with this key, ", number(h.others_score),
             " with the mean key of the other tokens.",
             h.rotary_pair ? text(" Channels ", h.channels[0].at, " and ", h.channels[1].at,
                                  " are half a head apart: the two halves of one rotary pair, where the model rotates by halves.")
                           : std::string(),
             facts.kv_heads < facts.heads ? text(" Query head ", h.head, " reads key head ", h.kv_head, ".") : std::string()));
    return out;
}

inline view_section end_section(lifecycle const& c, token_sequences const& x) {
    if (!c.life.vanish) return {"End", {"The entries leave the last layer as they are."}, {}, {}};
    view_section out{text("End: layer ", *c.life.vanish), {}, {}, {}};
    out.figures.push_back({"vanish",
                           text("The same sites in layer ", *c.life.vanish, ", at token ", token_mark(x, c.life.tokens[0]), "."),
                           life_tensors(c.rows, *c.life.vanish)});
    out.tables.push_back(written_table("vanish", "What removes each entry", c.vanish, x));
    return out;
}

inline view_section test_section(lifecycle const& c) {
    if (c.test.empty()) return {"Test", {"There are no neurons that could be silenced."}, {}, {}};
    view_section out{"Test",
                     {text("The first sequence once more, with the neurons of layer ", c.life.birth,
                           " that make the entries at zero for every token, and with as many others, drawn at random.")},
                     {},
                     {}};
    table changes{"",
                  {"silenced", "neurons", "outliers left", "largest |x|", "tokens' share of attention", "loss, nats a token"}};
    for (auto const& a : c.test) {
        std::vector<std::string> names;
        for (index_t n : a.neurons) names.push_back(std::to_string(n));
        changes.add({a.what, names.empty() ? absent : joined(names), std::to_string(a.outliers), number(a.largest),
                     number(a.share), number(a.loss, 3)});
    }
    out.tables.push_back({"", std::move(changes), {}});
    return out;
}

}  // namespace detail

/// \param model  is passed the first sequence a few times more
inline view_page lifecycle_view(language_model& model, survey const& s, weight_survey const& w, token_sequences const& x,
                                json numbers) {
    auto const c = find_lifecycle(model, s, x);
    view_page v{text("The life of outliers: ", model.facts().name), detail::lifecycle_summary(c, s, x), {}, {}};
    v.sections = {detail::life_section(c, s, x), detail::birth_section(model, c, w, x), detail::spread_section(model, c, x),
                  detail::end_section(c, x), detail::test_section(c)};
    v.numbers = std::move(numbers);
    v.numbers["lifecycle"] = to_json(c);
    return v;
}

}  // namespace attnlab
