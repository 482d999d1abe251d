#pragma once
#include <string>
#include <vector>

#include <attnlab/analysis/views/lifecycle.hpp>
#include <attnlab/analysis/views/survey_json.hpp>

namespace attnlab {

inline json to_json(written_entry const& w) {
    json neurons = json::array();
    for (auto const& n : w.neurons)
        neurons.push_back({{"neuron", n.neuron},
                           {"activation", json_number(n.activation)},
                           {"weight", json_number(n.weight)},
                           {"adds", json_number(n.adds)},
                           {"weight_ratio", json_number(n.weight_ratio)}});
    return {{"token", w.token},
            {"channel", w.channel},
            {"before", json_number(w.before)},
            {"attention_adds", json_number(w.attention)},
            {"mlp_adds", json_number(w.mlp)},
            {"after", json_number(w.after)},
            {"neurons", neurons}};
}
inline json to_json(lifecycle const& c) {
    auto const list = [](auto const& all) {
        json out = json::array();
        for (auto const& one : all) out.push_back(to_json(one));
        return out;
    };
    auto const inputs = [](std::vector<input_part> const& parts) {
        json out = json::array();
        for (auto const& p : parts)
            out.push_back({{"channel", p.channel},
                           {"input", json_number(p.input)},
                           {"weight", json_number(p.weight)},
                           {"adds", json_number(p.adds)}});
        return out;
    };
    json timeline = json::array(), behind = json::array(), test = json::array();
    for (auto const& e : c.life.entries)
        timeline.push_back({{"token", e.token},
                            {"channel", e.channel},
                            {"before", json_numbers(e.before)},
                            {"attention_adds", json_numbers(e.attention)},
                            {"mlp_adds", json_numbers(e.mlp)},
                            {"after", json_numbers(e.after)}});
    for (auto const& r : c.behind)
        behind.push_back({{"module", r.module},
                          {"value", json_number(r.value)},
                          {"others_least", json_number(r.low)},
                          {"others_largest", json_number(r.high)},
                          {"share_of_three_weights", json_number(r.norm_share)},
                          {"inputs", inputs(r.inputs)}});
    for (auto const& t : c.test)
        test.push_back({{"silenced", t.what},
                        {"neurons", t.neurons},
                        {"outliers", t.outliers},
                        {"largest", json_number(t.largest)},
                        {"attention_share", json_number(t.share)},
                        {"loss", json_number(t.loss)}});
    json out{
        {"by_rule", c.life.by_rule},
        {"tokens", c.life.tokens},
        {"channels", c.life.channels},
        {"timeline", timeline},
        {"birth", {{"layer", c.life.birth}, {"entries", list(c.birth)}, {"neurons", c.makers}, {"behind_the_neuron", behind}}}};
    out["spread"] = {{"by_rule", c.life.spread_by_rule}, {"layers", c.life.spread}};
    if (c.head) {
        auto const& h = *c.head;
        json channels = json::array(), normed = json::array();
        for (auto const& p : h.channels)
            channels.push_back({{"channel", p.at},
                                {"key", json_number(p.key)},
                                {"mean_query", json_number(p.mean_query)},
                                {"adds", json_number(p.adds)}});
        for (auto const& p : h.normed) normed.push_back({{"channel", p.channel}, {"value", json_number(p.input)}});
        out["spread"]["head"] = {{"layer", h.layer},
                                 {"head", h.head},
                                 {"kv_head", h.kv_head},
                                 {"token", h.token},
                                 {"share", json_number(h.share)},
                                 {"channels", channels},
                                 {"halves_of_a_rotary_pair", h.rotary_pair},
                                 {"score_without_scale", json_number(h.score)},
                                 {"others_score_without_scale", json_number(h.others_score)},
                                 {"value_norm_ratio", json_number(h.value_norm_ratio)},
                                 {"norm_output", normed}};
    }
    out["vanish"] = c.life.vanish ? json{{"layer", *c.life.vanish}, {"entries", list(c.vanish)}} : json();
    out["test"] = test;
    return out;
}

}  // namespace attnlab
