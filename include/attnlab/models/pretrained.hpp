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
#include <attnlab/models/decoder/facts.hpp>
#include <attnlab/models/decoder/policies.hpp>
#include <attnlab/models/families/families.hpp>

/// \file
/// A Hugging Face folder as a model to analyse. Include the kernels of the device beside this header, those of the cpu come with it. Four attentions serve all families.

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

template <class Policy, class Device>
class pretrained_decoder final : public language_model {
public:
    pretrained_decoder(std::shared_ptr<model_folder const> folder, decoder_description d, std::string attention)
        : model_(std::move(folder), std::move(d)) {
        auto const& m = model_.description();
        if (m.head.empty() && model_.folder().has("lm_head.weight")) (void)model_.folder().tensor("lm_head.weight");   // tied: the embedding again
        unread_ = model_.folder().unread();
        facts_.name = model_.folder().path().lexically_normal().filename().string();
        if (facts_.name.empty()) facts_.name = model_.folder().path().lexically_normal().parent_path().filename().string();
        describe(facts_, m);
        facts_.path = model_.folder().path(), facts_.attention = std::move(attention);
        facts_.parameters = model_.folder().parameters();
        facts_.stored = word_for(model_.folder().tensor(m.embedding).type);
    }

    model_facts const& facts() const override { return facts_; }
    void forward(ids x, any_observer& o) override { model_.forward(x, o); }
    tensor<double, 2> losses(ids x, ids y, any_observer& o) override { return model_.losses(x, y, o); }
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
    decoder<Policy, Device> model_;
    model_facts facts_;
    std::vector<std::string> unread_;
};

}  // namespace detail

/// Opens a folder: config.json and weights. Nothing is read yet but headers and small vectors.
/// \throws error, one line that names file and field or tensor
template <class Device = cpu>
std::unique_ptr<language_model> open_pretrained(std::filesystem::path const& path) {
    auto const make = [&]<class Policy>(std::type_identity<Policy>, auto folder, decoder_description d, char const* attention) -> std::unique_ptr<language_model> {
        return std::make_unique<detail::pretrained_decoder<Policy, Device>>(folder, std::move(d), attention);
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
