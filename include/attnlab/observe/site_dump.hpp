#pragma once
#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <attnlab/observe/any_observer.hpp>
#include <attnlab/observe/language_model.hpp>
#include <attnlab/observe/record.hpp>
#include <attnlab/observe/site_names.hpp>

namespace attnlab {

/// Keeps whole what stands at sites named at run time, under the names they were asked by, for other tools: "blocks.3.attn.hook_q",
/// "layers.3.query", "hidden_states.4"; "query" alone is "layers.0.query", "layers.1.query" and so on, and "all" is every site that the
/// paper's code has a key for, and every hidden state.
class site_dump final : public any_observer {
public:
    /// \throws usage_error for a name that is none of the model's sites
    site_dump(model_facts const& model, std::vector<std::string> const& names) {
        for (auto const& name : names) {
            if (name == "all")
                ask_all(model);
            else
                ask(model, name);
        }
    }

    bool asks(std::string_view site, index_t layer) const override {
        return std::any_of(asked_.begin(), asked_.end(), [&](auto const& a) { return a.is(site, layer); });
    }
    void see(seen_site const& x) override {
        for (auto const& a : asked_) {
            if (!a.is(x.site, x.layer)) continue;
            auto& kept = seen_[a.name];
            if (x.first_sequence == 0) kept = {x.shape, {}};
            else kept.shape[0] += x.shape[0];
            kept.values.insert(kept.values.end(), x.values.begin(), x.values.end());
        }
    }

    /// Heads as the paper's code has them, (B, H, T, D), where they lie merged: to be called once after the pass.
    std::map<std::string, recorded<float>> take() {
        for (auto const& a : asked_)
            if (auto const at = seen_.find(a.name); a.split_heads > 0 && at != seen_.end()) split(at->second, a.split_heads);
        return std::move(seen_);
    }

private:
    struct request {
        std::string name, site;
        index_t layer;
        index_t split_heads = 0;
        bool is(std::string_view s, index_t l) const { return site == s && layer == l; }
    };

    void add(request r) {
        if (std::none_of(asked_.begin(), asked_.end(), [&](auto const& a) { return a.name == r.name; })) asked_.push_back(std::move(r));
    }
    void ask(model_facts const& model, std::string const& name) {
        auto const found = find_site(name, model.layers, &model.sites);
        index_t const heads = name.ends_with("attn_head_out") ? model.heads : 0;
        if (found.layer || !found.site->per_layer) return add({name, found.site->name, found.layer.value_or(0), heads});
        bool const by_key = name != found.site->name;
        for (index_t l = 0; l < model.layers; ++l)
            add({by_key ? text("layers.", l, '.', name) : found.site->full_name(l), found.site->name, l, heads});
    }
    void ask_all(model_facts const& model) {
        for (index_t i = 0; i <= model.layers; ++i) ask(model, text("hidden_states.", i));
        for (auto const& s : all_sites())
            if (s.per_layer && std::find(model.sites.begin(), model.sites.end(), s.name) != model.sites.end())
                for (auto const& key : s.aliases) ask(model, key);
    }
    static void split(recorded<float>& x, index_t H) {
        index_t const B = x.shape[0], T = x.shape[1], D = x.shape[2] / H;
        std::vector<float> out(x.values.size());
        for (index_t b = 0; b < B; ++b)
            for (index_t t = 0; t < T; ++t)
                for (index_t h = 0; h < H; ++h)
                    std::copy_n(x.values.begin() + ((b * T + t) * H + h) * D, D, out.begin() + ((b * H + h) * T + t) * D);
        x = {{B, H, T, D}, std::move(out)};
    }

    std::vector<request> asked_;
    std::map<std::string, recorded<float>> seen_;
};

}  // namespace attnlab
