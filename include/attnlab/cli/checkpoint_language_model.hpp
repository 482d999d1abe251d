#pragma once
#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <attnlab/analysis/position_losses.hpp>
#include <attnlab/cli/checkpoint_model.hpp>
#include <attnlab/cli/command.hpp>
#include <attnlab/cli/family_model.hpp>
#include <attnlab/models/decoder/facts.hpp>
#include <attnlab/observe/language_model.hpp>
#include <attnlab/observe/weights.hpp>

/// \file
/// An own checkpoint as a model to analyse. All its weights are in memory, so that a few sequences pass all layers before the
/// next do.

namespace attnlab {

class checkpoint_language_model final : public language_model {
public:
    /// \throws error naming the file
    checkpoint_language_model(std::filesystem::path const& path, policy_catalogue const& policies, std::string const& device = "cpu")
        : run_(read_checkpoint_run(path)) {
        run_.settings.length = "trained";  // the T of a formula (sigmoid's -ln T) is that of training, whatever is shown
        run_.settings.device = device;
        settle(run_.settings);
        auto const& c = run_.settings.model;
        model_ = make_model(policies.find_trained(run_.settings.policy, path), run_.settings, path);
        load_weights(safetensors_reader(path), model_->parameters());
        facts_.name = std::filesystem::absolute(path).lexically_normal().parent_path().filename().string();
        facts_.attention = run_.settings.policy, facts_.stored = "float32";
        for (auto const& p : model_->parameters()) facts_.parameters += p->size();
        if (auto const* d = model_->family()) {
            describe(facts_, *d);
            return;
        }
        facts_.family = "gpt";
        facts_.layers = c.n_layer, facts_.width = c.n_embd, facts_.heads = c.n_head, facts_.kv_heads = c.kv_heads();
        facts_.head_size = c.n_embd / c.n_head, facts_.mlp_width = 4 * c.n_embd, facts_.vocabulary = c.vocab_size,
        facts_.longest = c.block_size;
        std::apply([&](auto... s) { (facts_.sites.emplace_back(decltype(s)::name), ...); }, site::all{});
        facts_.weights = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                          "self_attn.o_proj", "mlp.up_proj",      "mlp.down_proj"};
        facts_.down_matrix = "mlp.down_proj";
    }

    checkpoint_run const& run() const { return run_; }
    model_facts const& facts() const override { return facts_; }

    void forward(ids x, any_observer& o) override {
        in_batches(x, o, [](index_t, view<float const, 3>) {});
    }

    tensor<double, 2> losses(ids x, ids y, any_observer& o) override {
        tensor<double, 2> out(x.shape());
        in_batches(x, o, [&](index_t first, view<float const, 3> logits) {
            for (index_t b = 0; b < logits.shape(0); ++b)
                for (index_t t = 0; t < x.shape(1); ++t) {
                    auto const target = y(first + b, t);
                    out(first + b, t) = target == -1 ? 0 : cross_entropy(logits[b][t], target);
                }
        });
        return out;
    }

    tensor<float, 2> weight(index_t layer, std::string_view name) override {
        if (layer < 0 || layer >= facts_.layers)
            fail("weight '", name, "': layer ", layer, ": expected 0 to ", facts_.layers - 1);
        if (auto const* d = model_->family()) return rows_of(d->prefix(layer), name, 0, -1);
        auto const& f = facts_;
        index_t const kv = f.kv_heads * f.head_size;
        std::string const block = text("transformer.h.", layer, '.');
        if (name == "self_attn.q_proj") return rows_of(block, "attn.c_attn", 0, f.width);
        if (name == "self_attn.k_proj") return rows_of(block, "attn.c_attn", f.width, kv);
        if (name == "self_attn.v_proj") return rows_of(block, "attn.c_attn", f.width + kv, kv);
        return rows_of(block, name == "self_attn.o_proj" ? std::string_view("attn.c_proj") : gpt_weight_name(name), 0, -1);
    }

private:
    /// Rows `first` on of a matrix under its name on disk; `count` -1: all of them.
    tensor<float, 2> rows_of(std::string const& block, std::string_view name, index_t first, index_t count) const {
        std::string const full = text(block, name, ".weight");
        for (auto const& p : model_->parameters())
            if (p->name == full && p->shape.size() == 2) {
                tensor<float, 2> out({count < 0 ? p->shape[0] : count, p->shape[1]});
                std::copy_n(p->value.begin() + first * p->shape[1], out.size(), out.data());
                return out;
            }
        fail("weight '", name, "': expected one of ", joined(facts_.weights));
    }

    /// `use(first sequence, logits)` of a few sequences at a time.
    template <class Use>
    void in_batches(ids x, any_observer& o, Use use) {
        index_t const T = x.shape(1), most = std::max<index_t>(1, 8192 / std::max<index_t>(1, T));
        if (facts_.longest > 0 && T > facts_.longest)
            fail(facts_.name, ": sequences of ", T, " tokens: expected at most ", facts_.longest, ", as it was trained with");
        for (index_t first = 0; first < x.shape(0); first += most) {
            index_t const count = std::min(most, x.shape(0) - first);
            o.first_sequence = first;
            use(first, model_->logits(ids(x.data() + first * T, {count, T}), o));
        }
        o.first_sequence = 0;
    }

    checkpoint_run run_;
    std::unique_ptr<any_model> model_;
    model_facts facts_;
};

}  // namespace attnlab
