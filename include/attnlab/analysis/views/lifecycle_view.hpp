#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/analysis/views/close_look.hpp>
#include <attnlab/analysis/views/existence_view.hpp>
#include <attnlab/analysis/views/knock_out.hpp>
#include <attnlab/analysis/views/lifecycle_figures.hpp>

/// \file
/// `analyze lifecycle`: where outliers are born, how they spread to attention, where they vanish, and whether the neurons that are said to make
/// them do.

namespace attnlab {

struct lifecycle {
    outlier_life life;
    token_rows rows;   ///< of the layers of birth, spread and vanishing
    std::vector<written_entry> birth, vanish;
    std::vector<row_story> behind;       ///< the largest neuron of birth
    std::optional<head_story> head;      ///< at the first layer of spread
    std::vector<index_t> makers;         ///< neurons that make the entries, each once
    std::vector<after_change> test;
};

inline lifecycle find_lifecycle(language_model& model, survey const& s, token_sequences const& x) {
    auto const& facts = model.facts();
    auto life = follow_outliers(model, s, x);
    std::map<std::string_view, std::set<index_t>> where;
    for (std::string_view const site : {site::resid_mid::name, site::ln2_normalized::name, site::gate_out::name, site::act_out::name, site::mlp_pre::name, site::mlp_post::name,
                                        site::mlp_out::name, site::resid_post::name}) {
        where[site].insert(life.birth);
        if (life.vanish) where[site].insert(*life.vanish);
    }
    for (std::string_view const site : {site::resid_pre::name, site::ln1_normalized::name, site::q::name, site::k::name, site::v::name}) where[site].insert(life.spread.front());
    token_rows rows(life.tokens, std::move(where));
    model.forward(view<std::int32_t const, 2>(x.ids.data(), {1, x.length()}), rows);

    lifecycle out{std::move(life), std::move(rows), {}, {}, {}, {}, {}, {}};
    out.birth = written_in(model, out.life, out.rows, out.life.birth);
    if (out.life.vanish) out.vanish = written_in(model, out.life, out.rows, *out.life.vanish);
    for (auto const& w : out.birth)
        if (!w.neurons.empty()) detail::add_once(out.makers, w.neurons[0].neuron, 8);
    if (!out.makers.empty()) out.behind = rows_behind(model, out.rows, out.life.birth, out.birth[0].neurons[0].neuron, 0);
    std::size_t most = 0;
    double best = -1;
    for (std::size_t t = 0; t < out.life.tokens.size(); ++t)
        if (double const share = attention_survey::shares_of(s.attention().at(out.life.spread.front()).sums, {out.life.tokens[t]}).mean; share > best) best = share, most = t;
    out.head = head_behind(facts, s, out.rows, out.life.spread.front(), most);
    out.test = knock_out(model, out.life, x, out.makers);
    return out;
}

inline json to_json(written_entry const& w) {
    json neurons = json::array();
    for (auto const& n : w.neurons)
        neurons.push_back({{"neuron", n.neuron}, {"activation", json_number(n.activation)}, {"weight", json_number(n.weight)}, {"adds", json_number(n.adds)}, {"weight_ratio", json_number(n.weight_ratio)}});
    return {{"token", w.token}, {"channel", w.channel}, {"before", json_number(w.before)}, {"attention_adds", json_number(w.attention)}, {"mlp_adds", json_number(w.mlp)},
            {"after", json_number(w.after)}, {"neurons", neurons}};
}
inline json to_json(lifecycle const& c) {
    auto const list = [](auto const& all) {
        json out = json::array();
        for (auto const& one : all) out.push_back(to_json(one));
        return out;
    };
    auto const inputs = [](std::vector<input_part> const& parts) {
        json out = json::array();
        for (auto const& p : parts) out.push_back({{"channel", p.channel}, {"input", json_number(p.input)}, {"weight", json_number(p.weight)}, {"adds", json_number(p.adds)}});
        return out;
    };
    json timeline = json::array(), behind = json::array(), test = json::array();
    for (auto const& e : c.life.entries)
        timeline.push_back({{"token", e.token}, {"channel", e.channel}, {"before", json_numbers(e.before)}, {"attention_adds", json_numbers(e.attention)}, {"mlp_adds", json_numbers(e.mlp)}, {"after", json_numbers(e.after)}});
    for (auto const& r : c.behind)
        behind.push_back({{"module", r.module}, {"value", json_number(r.value)}, {"others_least", json_number(r.low)}, {"others_largest", json_number(r.high)},
                          {"share_of_three_weights", json_number(r.norm_share)}, {"inputs", inputs(r.inputs)}});
    for (auto const& t : c.test)
        test.push_back({{"silenced", t.what}, {"neurons", t.neurons}, {"outliers", t.outliers}, {"largest", json_number(t.largest)}, {"attention_share", json_number(t.share)}, {"loss", json_number(t.loss)}});
    json out{{"by_rule", c.life.by_rule}, {"tokens", c.life.tokens}, {"channels", c.life.channels}, {"timeline", timeline},
             {"birth", {{"layer", c.life.birth}, {"entries", list(c.birth)}, {"neurons", c.makers}, {"behind_the_neuron", behind}}}};
    out["spread"] = {{"by_rule", c.life.spread_by_rule}, {"layers", c.life.spread}};
    if (c.head) {
        auto const& h = *c.head;
        json channels = json::array(), normed = json::array();
        for (auto const& p : h.channels) channels.push_back({{"channel", p.at}, {"key", json_number(p.key)}, {"mean_query", json_number(p.mean_query)}, {"adds", json_number(p.adds)}});
        for (auto const& p : h.normed) normed.push_back({{"channel", p.channel}, {"value", json_number(p.input)}});
        out["spread"]["head"] = {{"layer", h.layer}, {"head", h.head}, {"kv_head", h.kv_head}, {"token", h.token}, {"share", json_number(h.share)}, {"channels", channels},
                                 {"halves_of_a_rotary_pair", h.rotary_pair}, {"score_without_scale", json_number(h.score)}, {"others_score_without_scale", json_number(h.others_score)},
                                 {"value_norm_ratio", json_number(h.value_norm_ratio)}, {"norm_output", normed}};
    }
    out["vanish"] = c.life.vanish ? json{{"layer", *c.life.vanish}, {"entries", list(c.vanish)}} : json();
    out["test"] = test;
    return out;
}

namespace detail {

inline view_table written_table(std::string name, std::string title, std::vector<written_entry> const& entries, token_sequences const& x) {
    view_table out{std::move(name), {std::move(title), {"token", "channel", "before", "attention adds", "MLP adds", "after", "neuron", "its activation", "W[channel, neuron]", "|W| / mean of column", "it adds"}}, {}};
    for (auto const& w : entries)
        for (std::size_t k = 0; k < std::max<std::size_t>(1, std::min<std::size_t>(3, w.neurons.size())); ++k) {
            std::vector<std::string> row{token_mark(x, w.token), std::to_string(w.channel), number(w.before), number(w.attention), number(w.mlp), number(w.after)};
            if (k > 0) std::fill(row.begin() + 2, row.end(), "");
            if (k < w.neurons.size()) {
                auto const& n = w.neurons[k];
                for (auto const& cell : {std::to_string(n.neuron), number(n.activation), number(n.weight), number(n.weight_ratio), number(n.adds)}) row.push_back(cell);
            }
            row.resize(11);
            out.value.add(std::move(row));
        }
    return out;
}

/// "neuron 77 (98 % of what the MLP adds)".
inline std::string neuron_words(written_entry const& w) {
    if (w.neurons.empty()) return "a mixture of experts, whose neurons are not looked at";
    auto const& n = w.neurons[0];
    return text("neuron ", n.neuron, " (", number(100 * n.adds / w.mlp, 0), " % of it; activation ", number(n.activation), " times weight ", number(n.weight), ")");
}

}  // namespace detail

inline view_page lifecycle_view(language_model& model, survey const& s, weight_survey const& w, token_sequences const& x, json numbers) {
    auto const c = find_lifecycle(model, s, x);
    auto const& life = c.life;
    auto const& facts = model.facts();
    view_page v{text("The life of outliers: ", facts.name), {}, {}, {}};
    std::vector<std::string> tokens, channels;
    for (index_t t : life.tokens) tokens.push_back(token_mark(x, t));
    for (index_t ch : life.channels) channels.push_back(std::to_string(ch));
    if (!life.by_rule)
        v.summary.push_back(text("No layer output has an outlier by the rule (", number(s.layer_out().factor()), " times the mean |x|). The largest entry is followed in its place; it counts as alive at half of its largest value."));
    auto const& first = c.birth.at(0);
    v.summary.push_back(text("Birth: layer ", life.birth, ", tokens ", listed(tokens), ", channel", channels.size() > 1 ? "s " : " ", listed(channels), ". There ",
                             std::abs(first.mlp) >= std::abs(first.attention) ? text("the MLP adds ", number(first.mlp), " to the largest: ", detail::neuron_words(first)) : text("attention adds ", number(first.attention), " to the largest"), "."));
    std::vector<std::string> layers;
    for (index_t l : life.spread) layers.push_back(std::to_string(l));
    auto const& h = *c.head;
    v.summary.push_back(text(life.spread_by_rule ? "Spread: the tokens are attention outliers in layer" : "Spread: no followed token is an attention outlier; it receives the most in layer", layers.size() > 1 ? "s " : " ", listed(layers),
                             ". In layer ", h.layer, " head ", h.head, " gives token ", token_mark(x, h.token), " ", number(100 * h.share, 0), " % of its attention; the value there has ", number(h.value_norm_ratio),
                             " times the norm of the others' mean."));
    if (life.vanish) {
        auto const& gone = c.vanish.at(0);
        v.summary.push_back(text("End: layer ", *life.vanish, ", where ", std::abs(gone.mlp) >= std::abs(gone.attention) ? text("the MLP adds ", number(gone.mlp), " to what was ", number(gone.before), ": ", detail::neuron_words(gone)) :
                                                                                               text("attention adds ", number(gone.attention), " to what was ", number(gone.before)), "."));
    } else {
        v.summary.push_back("End: none, they leave the last layer.");
    }
    if (c.test.size() == 3)
        v.summary.push_back(text("Test: with the neurons that make them at zero, ", c.test[1].outliers, " of ", c.test[0].outliers, " outliers are left, the largest |x| falls from ", number(c.test[0].largest), " to ", number(c.test[1].largest),
                                 ", the tokens' share of attention from ", number(c.test[0].share), " to ", number(c.test[1].share), "; the loss goes from ", number(c.test[0].loss, 3), " to ", number(c.test[1].loss, 3),
                                 " nats a token (other neurons: ", number(c.test[2].loss, 3), ")."));

    view_section line{"Timeline", {}, {}, {}};
    line.figures.push_back({"timeline", "The followed entries when they leave each layer, and what attention and MLP add to them there (after a norm, where the model has one there).", life_timeline(life, x)});
    line.figures.push_back({"attention_share", "Share of all attention that the followed tokens receive, mean over heads and bars from the least head to the most.", life_shares(s.attention(), life, x)});
    table t{"", {"layer"}};
    for (auto const& e : life.entries)
        for (char const* what : {"after", "attention", "mlp"}) t.header.push_back(text(what, "[", e.token, ",", e.channel, "]"));
    for (std::size_t l = 0; l < life.entries.at(0).after.size(); ++l) {
        std::vector<std::string> row{std::to_string(l)};
        for (auto const& e : life.entries)
            for (auto const* values : {&e.after, &e.attention, &e.mlp}) row.push_back(exact_cell((*values)[l]));
        t.add(std::move(row));
    }
    auto shown = t;
    for (auto& row : shown.rows)
        for (std::size_t i = 1; i < row.size(); ++i) row[i] = number(std::stod(row[i]));
    if (shown.header.size() <= 13) line.tables.push_back({"timeline", std::move(shown), std::move(t)});
    v.sections.push_back(std::move(line));

    view_section birth{text("Birth: layer ", life.birth), {}, {}, {}};
    birth.figures.push_back({"birth", text("What stands at the sites of the MLP of layer ", life.birth, " at token ", token_mark(x, life.tokens[0]), ", and between what all other tokens lie."), life_tensors(c.rows, life.birth)});
    birth.tables.push_back(detail::written_table("birth", "What makes each entry", c.birth, x));
    if (!c.makers.empty()) {
        index_t const f = c.makers[0];
        figure weights;
        weights.shared_axes = false, weights.width = 1000, weights.aspect = 0.85;
        auto const down = model.weight(life.birth, facts.down_matrix);
        weights.panels.push_back(weight_panel(down, line::column, f, life.channels, facts.down_matrix));
        for (auto const& r : c.behind) {
            std::vector<index_t> marks;
            for (auto const& in : r.inputs)
                if (std::abs(in.adds) >= 0.01 * std::abs(r.inputs[0].adds)) marks.push_back(in.channel);
            weights.panels.push_back(weight_panel(model.weight(life.birth, r.module), line::row, f, marks, r.module));
        }
        weights.columns = weights.panels.size();
        if (weights.columns == 1) weights.width = 620;
        birth.figures.push_back({"birth_weights", text("Weights of layer ", life.birth, " around neuron ", f, " (in colour): its column of the down projection, its rows before the activation."), std::move(weights)});
        table rows{text("Where neuron ", f, " has its value from, at token ", token_mark(x, life.tokens[0])), {"matrix", "value", "other tokens", "channel", "input", "weight", "adds"}};
        for (auto const& r : c.behind)
            for (std::size_t k = 0; k < r.inputs.size(); ++k)
                rows.add({k == 0 ? r.module : "", k == 0 ? number(r.value) : "", k == 0 ? range_text(r.low, r.high) : "", std::to_string(r.inputs[k].channel), number(r.inputs[k].input), number(r.inputs[k].weight), number(r.inputs[k].adds)});
        if (!rows.rows.empty()) birth.tables.push_back({"birth_rows", std::move(rows), {}});
        auto const& stands_out = w.down.at(static_cast<std::size_t>(life.birth)).top;
        bool const known = std::find(stands_out.begin(), stands_out.end(), f) != stands_out.end();
        birth.paragraphs.push_back(text("By the weights alone, the columns of ", facts.down_matrix, " that stand out most in this layer are ", stands_out.at(0), stands_out.size() > 2 ? text(", ", stands_out[1], " and ", stands_out[2]) : std::string(),
                                        known ? text(": neuron ", f, " is among them.") : text(": neuron ", f, " is not among them.")));
    }
    v.sections.push_back(std::move(birth));

    view_section spread{text("Spread: layer ", h.layer, ", head ", h.head), {}, {}, {}};
    auto const number_of = static_cast<std::size_t>(std::find(life.tokens.begin(), life.tokens.end(), h.token) - life.tokens.begin());
    spread.figures.push_back({"spread", text("From the stream to the scores, at token ", token_mark(x, h.token), ". Queries and keys are those that the scores are made of, after any rotation."), life_head(c.rows, h, number_of)});
    index_t const T = std::min<index_t>(x.length(), 192);
    pattern_maps maps(std::map<index_t, index_t>{{h.layer, h.head}});
    model.forward(view<std::int32_t const, 2>(x.ids.data(), {1, T}), maps);
    spread.figures.push_back({"spread_attention", text("Attention weights of layer ", h.layer, T < x.length() ? text(", of the first ", T, " of ", x.length(), " tokens") : std::string(), ": queries down, keys across."), existence_patterns(maps)});
    table scores{"Channels of the head that make the score", {"channel of the head", "key", "mean query of the other tokens", "product"}};
    for (auto const& p : h.channels) scores.add({std::to_string(p.at), number(p.key), number(p.mean_query), number(p.adds)});
    spread.tables.push_back({"spread_channels", std::move(scores), {}});
    spread.paragraphs.push_back(text("Before the scale the mean query scores ", number(h.score), " with this key, ", number(h.others_score), " with the mean key of the other tokens.",
                                     h.rotary_pair ? text(" Channels ", h.channels[0].at, " and ", h.channels[1].at, " are half a head apart: the two halves of one rotary pair, where the model rotates by halves.") : std::string(),
                                     facts.kv_heads < facts.heads ? text(" Query head ", h.head, " reads key head ", h.kv_head, ".") : std::string()));
    v.sections.push_back(std::move(spread));

    view_section end{life.vanish ? text("End: layer ", *life.vanish) : std::string("End"), {}, {}, {}};
    if (life.vanish) {
        end.figures.push_back({"vanish", text("The same sites in layer ", *life.vanish, ", at token ", token_mark(x, life.tokens[0]), "."), life_tensors(c.rows, *life.vanish)});
        end.tables.push_back(detail::written_table("vanish", "What removes each entry", c.vanish, x));
    } else {
        end.paragraphs.push_back("The entries leave the last layer as they are.");
    }
    v.sections.push_back(std::move(end));

    view_section test{"Test", {}, {}, {}};
    if (c.test.empty()) {
        test.paragraphs.push_back("There are no neurons that could be silenced.");
    } else {
        test.paragraphs.push_back(text("The first sequence once more, with the neurons of layer ", life.birth, " that make the entries at zero for every token, and with as many others, drawn at random."));
        table changes{"", {"silenced", "neurons", "outliers left", "largest |x|", "tokens' share of attention", "loss, nats a token"}};
        for (auto const& a : c.test) {
            std::vector<std::string> names;
            for (index_t n : a.neurons) names.push_back(std::to_string(n));
            changes.add({a.what, names.empty() ? absent : joined(names), std::to_string(a.outliers), number(a.largest), number(a.share), number(a.loss, 3)});
        }
        test.tables.push_back({"test", std::move(changes), {}});
    }
    v.sections.push_back(std::move(test));
    v.numbers = std::move(numbers);
    v.numbers["lifecycle"] = to_json(c);
    return v;
}

}  // namespace attnlab
