#pragma once
#include <string>
#include <string_view>
#include <vector>

#include <attnlab/models/decoder/description.hpp>
#include <attnlab/observe/language_model.hpp>

namespace attnlab {

/// Sites of a decoder, in order of visit.
inline std::vector<std::string> sites_of_decoder(decoder_description const& d) {
    std::vector<std::string_view> out{site::embed::name,
                                      site::resid_pre::name,
                                      site::ln1_normalized::name,
                                      site::q::name,
                                      site::k::name,
                                      site::v::name,
                                      site::attn_scores::name,
                                      site::pattern::name,
                                      site::slot::name,
                                      site::gate::name,
                                      site::pattern_sums::name,
                                      site::pattern_entropy::name,
                                      site::largest_score::name,
                                      site::pattern_columns::name,
                                      site::z::name,
                                      site::attn_out::name};
    if (!d.post_attention_norm.empty()) out.push_back(site::post_attn_norm_out::name);
    out.insert(out.end(), {site::resid_mid::name, site::ln2_normalized::name});
    if (d.mixture.experts > 0)
        out.insert(out.end(), {site::router_logits::name, site::router_weights::name, site::router_experts::name});
    else {
        if (d.gated()) out.push_back(site::gate_out::name);
        out.insert(out.end(), {site::act_out::name, site::mlp_pre::name, site::mlp_post::name});
    }
    out.push_back(site::mlp_out::name);
    if (!d.post_mlp_norm.empty()) out.push_back(site::post_mlp_norm_out::name);
    out.insert(out.end(), {site::resid_post::name, site::ln_final::name, site::logits::name});
    return {out.begin(), out.end()};
}

/// Fills in what a description says of a model.
inline void describe(model_facts& to, decoder_description const& d) {
    to.family = d.family;
    to.layers = d.layers, to.width = d.width, to.heads = d.heads, to.kv_heads = d.kv_heads, to.head_size = d.head_size;
    to.mlp_width = d.mlp_width, to.vocabulary = d.vocabulary, to.experts = d.mixture.experts, to.longest = d.longest;
    to.sites = sites_of_decoder(d);
    for (auto const& w : d.matrices()) to.weights.push_back(w.name);
    to.down_matrix = d.down.name;
}

}  // namespace attnlab
