#pragma once
#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/io/json.hpp>
#include <attnlab/io/safetensors.hpp>
#include <attnlab/observe/language_model.hpp>

/// \file
/// A model of the fixtures whose pass is a file: what `expected.safetensors` has is shown, and the weights are those of its
/// folder.

namespace attnlab::testing {

class replayed_model : public language_model {
public:
    replayed_model(std::filesystem::path const& folder, char const* file = "expected.safetensors") : sites_(folder / file) {
        auto const about = parse_json(folder / "case.json"), expected = parse_json(folder / "analysis.json");
        facts_.name = folder.filename().string();
        facts_.family = about.value("model_type", "");
        facts_.attention = "softmax", facts_.stored = about.value("stored_dtype", "");
        facts_.layers = about.at("dims").at("layers");
        turned_ = facts_.family == "gpt2";  // stores (in, out)
        for (auto const& [module, ratios] : expected.at("weights").at("modules").items()) facts_.weights.push_back(module);
        if (expected.at("down_matrix").is_string()) facts_.down_matrix = expected.at("down_matrix");
        for (auto const& entry : std::filesystem::directory_iterator(folder / "model"))
            if (entry.path().extension() == ".safetensors") files_.emplace_back(entry.path());
        auto const& stream = sites_.at(sites_.contains("layers.0.layer_out") ? "layers.0.layer_out" : sites_.tensors()[0].name);
        facts_.width = stream.shape.at(2);
    }

    model_facts const& facts() const override { return facts_; }
    void forward(ids, any_observer& o) override {
        static std::pair<char const*, std::string_view> const names[] = {{"mha_rms_in", site::resid_pre::name},
                                                                         {"mha_rms_out", site::ln1_normalized::name},
                                                                         {"query", site::q::name},
                                                                         {"key", site::k::name},
                                                                         {"value", site::v::name},
                                                                         {"attn_probs", site::pattern::name},
                                                                         {"cumulative", site::pattern_sums::name},
                                                                         {"mha_out", site::attn_out::name},
                                                                         {"rms_in", site::resid_mid::name},
                                                                         {"rms_out", site::ln2_normalized::name},
                                                                         {"gate_out", site::gate_out::name},
                                                                         {"up_out", site::mlp_pre::name},
                                                                         {"act_out", site::act_out::name},
                                                                         {"down_in", site::mlp_post::name},
                                                                         {"down_out", site::mlp_out::name},
                                                                         {"layer_out", site::resid_post::name}};
        for (index_t l = 0; l < facts_.layers; ++l)
            for (auto const& [key, name] : names)
                if (std::string const tensor = text("layers.", l, ".", key); o.asks(name, l) && sites_.contains(tensor))
                    show(o, name, l, tensor);
                else if (name == site::pattern_sums::name && o.asks(name, l))
                    show_sums(o, l);
    }
    tensor<double, 2> losses(ids, ids, any_observer&) override { fail("a file has no losses"); }
    tensor<float, 2> weight(index_t layer, std::string_view name) override {
        std::string const end = text(".", layer, ".", name, ".weight");
        for (auto const& file : files_)
            for (auto const& t : file.tensors())
                if (("." + t.name).ends_with(end)) {
                    tensor<float, 2> stored({t.shape.at(0), t.shape.at(1)});
                    file.copy_to(t.name, std::span<float>(stored.data(), static_cast<std::size_t>(stored.size())));
                    if (!turned_) return stored;
                    tensor<float, 2> out({stored.shape(1), stored.shape(0)});
                    for (index_t i = 0; i < stored.shape(0); ++i)
                        for (index_t o = 0; o < stored.shape(1); ++o) out(o, i) = stored(i, o);
                    return out;
                }
        fail("no weight ", name, " of layer ", layer);
    }

private:
    std::vector<float> values(std::string const& name) const {
        index_t count = 1;
        for (index_t n : sites_.at(name).shape) count *= n;
        std::vector<float> out(static_cast<std::size_t>(count));
        sites_.copy_to(name, std::span<float>(out));
        return out;
    }
    void show(any_observer& o, std::string_view site, index_t layer, std::string const& name) const {
        auto const held = values(name);
        o.see({site, layer, 0, sites_.at(name).shape, held, {}});
    }
    void show_sums(any_observer& o, index_t layer) const {
        std::string const name = text("layers.", layer, ".attn_probs");
        if (!sites_.contains(name)) return;
        auto const p = values(name);
        auto shape = sites_.at(name).shape;
        auto const T = static_cast<std::size_t>(shape.back());
        shape.pop_back();
        std::vector<float> sums(p.size() / T);
        for (std::size_t i = 0; i < p.size(); ++i) sums[i / (T * T) * T + i % T] += p[i];
        o.see({site::pattern_sums::name, layer, 0, shape, sums, {}});
    }

    safetensors_reader sites_;
    std::vector<safetensors_reader> files_;
    model_facts facts_;
    bool turned_ = false;
};

}  // namespace attnlab::testing
