#pragma once
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/core/device.hpp>
#include <attnlab/kernels/cpu/kernels.hpp>
#include <attnlab/models/decoder/decoder.hpp>
#include <attnlab/models/decoder/policies.hpp>
#include <attnlab/models/families/families.hpp>

/// \file
/// A Hugging Face folder as a model to analyse, on the cpu. Four attentions serve all families.

namespace attnlab {

namespace detail {

inline std::string word_for(dtype type) {
    switch (type) {
        case dtype::f64: return "float64";
        case dtype::f32: return "float32";
        case dtype::f16: return "float16";
        case dtype::bf16: return "bfloat16";
        default: return std::string(about(type).name);
    }
}

/// Sites of a decoder, in order of visit.
inline std::vector<std::string> sites_of_decoder(decoder_description const& d) {
    std::vector<std::string_view> out{site::embed::name, site::resid_pre::name, site::ln1_normalized::name, site::q::name, site::k::name, site::v::name,
                                      site::attn_scores::name, site::pattern::name, site::slot::name, site::gate::name, site::pattern_sums::name,
                                      site::pattern_entropy::name, site::largest_score::name, site::pattern_columns::name, site::z::name,
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

template <class Policy>
class pretrained_decoder final : public language_model {
public:
    pretrained_decoder(std::shared_ptr<model_folder const> folder, decoder_description d, std::string attention)
        : model_(std::move(folder), std::move(d)) {
        auto const& m = model_.description();
        if (m.head.empty() && model_.folder().has("lm_head.weight")) (void)model_.folder().tensor("lm_head.weight");   // tied: the embedding again
        unread_ = model_.folder().unread();
        facts_.name = model_.folder().path().lexically_normal().filename().string();
        if (facts_.name.empty()) facts_.name = model_.folder().path().lexically_normal().parent_path().filename().string();
        facts_.path = model_.folder().path(), facts_.family = m.family, facts_.attention = std::move(attention);
        facts_.layers = m.layers, facts_.width = m.width, facts_.heads = m.heads, facts_.kv_heads = m.kv_heads, facts_.head_size = m.head_size;
        facts_.mlp_width = m.mlp_width, facts_.vocabulary = m.vocabulary, facts_.experts = m.mixture.experts, facts_.longest = m.longest;
        facts_.parameters = model_.folder().parameters();
        facts_.stored = word_for(model_.folder().tensor(m.embedding).type);
        facts_.sites = sites_of_decoder(m);
        for (auto const& w : m.matrices()) facts_.weights.push_back(w.name);
        facts_.down_matrix = m.down.name;
    }

    model_facts const& facts() const override { return facts_; }
    void forward(ids x, any_observer& o) override { model_.forward(x, o); }
    tensor<double, 2> next_token_losses(ids x, any_observer& o) override { return model_.next_token_losses(x, o); }
    tensor<float, 2> weight(index_t layer, std::string_view name) override {
        auto const& d = model_.description();
        for (auto const& m : d.matrices())
            if (m.name == name) {
                auto const t = model_.folder().tensor(d.prefix(layer) + m.name + ".weight");
                stored_linear<cpu> const w(t, m.transposed, {});
                auto out = w.matrix();
                w.release();
                return out;
            }
        fail("weight '", name, "': expected one of ", joined(facts_.weights));
    }
    std::vector<std::string> warnings() const override {
        std::vector<std::string> out;
        for (auto const& name : unread_) out.push_back(text(model_.folder().source().string(), ": tensor '", name, "': unknown to this model, not read"));
        for (auto const& name : model_.with_nan()) out.push_back(text(model_.folder().source().string(), ": tensor '", name, "': holds NaN"));
        return out;
    }

private:
    decoder<Policy, cpu> model_;
    model_facts facts_;
    std::vector<std::string> unread_;
};

}  // namespace detail

/// Opens a folder: config.json and weights. Nothing is read yet but headers and small vectors.
/// \throws error, one line that names file and field or tensor
inline std::unique_ptr<language_model> open_pretrained(std::filesystem::path const& path) {
    auto const make = [&]<class Policy>(std::type_identity<Policy>, auto folder, decoder_description d, char const* attention) -> std::unique_ptr<language_model> {
        return std::make_unique<detail::pretrained_decoder<Policy>>(folder, std::move(d), attention);
    };
    config_file const config(path);
    auto const folder = std::make_shared<model_folder const>(path);
    auto d = describe_decoder(config, *folder);
    int const joints = (!d.slopes.empty()) + (d.score_cap > 0) + (!d.sinks.empty());
    require(joints <= 1, config.where(), ": expected at most one of ALiBi, a cap on scores and sinks");
    if (!d.slopes.empty()) return make(std::type_identity<decoder_alibi>{}, folder, std::move(d), "alibi");
    if (d.score_cap > 0) return make(std::type_identity<decoder_capped>{}, folder, std::move(d), "soft_cap");
    if (!d.sinks.empty()) return make(std::type_identity<decoder_sink>{}, folder, std::move(d), "sink");
    return make(std::type_identity<decoder_softmax>{}, folder, std::move(d), "softmax");
}

}  // namespace attnlab
