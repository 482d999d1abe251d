#pragma once
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/cli/family_model.hpp>
#include <attnlab/models/families/families.hpp>
#include <attnlab/models/trained/decoder.hpp>
#include <attnlab/models/trained/load.hpp>

/// \file
/// What cli/family_model.hpp declares. Include it in exactly one source file of a program; cli/pretrained_models.hpp does.

namespace attnlab {

namespace detail {

template <class Device>
class family_model final : public any_model {
public:
    family_model(decoder_description d, decoder_policy<Device> policy, gpt_config const& run, model_folder const& weights)
        : model_(std::move(d), std::move(policy), run) {
        family_weights(weights, model_.description()).check(model_.parameters(), model_.learned());
        model_.parameters().allocate();
    }
    parameter_list<float>& parameters() override { return model_.parameters(); }
    decoder_description const* family() const override { return &model_.description(); }
    std::vector<parameter<float>*> learned_by_policy() const override { return model_.learned(); }
    std::vector<parameter<float>*> linear_weights() override {
        auto const& d = model_.description();
        std::vector<parameter<float>*> out;
        for (index_t l = 0; l < d.layers; ++l)
            for (auto const& m : d.matrices()) out.push_back(&model_.parameters().at(d.prefix(l) + m.name + ".weight"));
        return out;
    }
    view<float const, 3> logits(ids x) override { return model_.logits(x); }
    view<float const, 3> logits(ids x, any_observer& o) override { return model_.logits(x, o); }
    view<float const, 3> logits(ids, attention_changer<float>&) override {
        fail("this model's attention is not to be changed: ", words(scale_obstacle()));
    }
    attnlab::scale_obstacle scale_obstacle() const override { return attnlab::scale_obstacle::family; }
    double loss(ids x, ids y) override { return model_.loss(x, y); }
    double loss(ids x, ids y, any_observer& o) override { return model_.loss(x, y, o); }
    using any_model::loss_and_gradient;
    double loss_and_gradient(ids x, ids y, double scale, gradients_done const& done) override {
        return model_.loss_and_gradient(x, y, scale, done);
    }
    array_operations<float> const& operations() const override { return operations_of(model_); }

private:
    trained_decoder<Device> model_;
};

/// \param policies  those of e for the device
template <class Device>
std::unique_ptr<any_model> make_family_model(experiment const& e, std::vector<decoder_policy<Device>> const& policies, decoder_description d,
                                             std::filesystem::path const& weights, gpt_config const& run) {
    auto const form = form_of(d);
    auto const at = std::find_if(policies.begin(), policies.end(), [&](auto const& p) { return p.form == form; });
    if (at == policies.end())
        fail<usage_error>("policy '", e.card.name, "': not compiled for ", d.family, " on ", Device::name, ": expected ",
                          !policies.empty() ? "--device cpu" : "one that `policies` says is for families",
                          ", or a program of your own with experiment_main<for_families<attention<...>>>");
    return std::make_unique<family_model<Device>>(std::move(d), *at, run, model_folder(weights));
}

}  // namespace detail

decoder_description read_family(std::string const& config, std::filesystem::path const& weights, bool as_in_folders) {
    std::string const where =
        std::filesystem::is_directory(weights) ? (weights / "config.json").string() : weights.string() + ": family";
    auto d = describe_decoder(config_file(parse_json_text(config, where), where), model_folder(weights));
    if (!as_in_folders && !std::filesystem::is_directory(weights))
        for (auto* m : {&d.q, &d.k, &d.v, &d.qkv, &d.out, &d.gate, &d.up, &d.down}) m->transposed = false;
    return d;
}

std::unique_ptr<any_model> make_family_model(experiment const& e, std::string const& config, std::filesystem::path const& weights,
                                             gpt_config const& run, std::string const& device) {
    use_device(device);
    auto d = read_family(config, weights);
#ifdef ATTNLAB_USE_CUDA
    if (device == "cuda") return detail::make_family_model(e, e.in_families.on_cuda, std::move(d), weights, run);
#endif
    return detail::make_family_model(e, e.in_families.on_cpu, std::move(d), weights, run);
}

std::vector<std::string> read_family_weights(any_model& model, std::filesystem::path const& folder) {
    require(model.family() != nullptr, folder.string(), ": expected a model of its family");
    model_folder const files(folder);
    family_weights(files, *model.family()).read(model.parameters(), model.learned_by_policy());
    auto unknown = files.unread();
    std::erase(unknown, "lm_head.weight");  // tied: the embedding again
    return unknown;
}

}  // namespace attnlab
