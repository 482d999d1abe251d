#pragma once
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/core/nearest_names.hpp>
#include <attnlab/observe/site.hpp>

/// \file
/// Sites by text, for command lines and files: "blocks.3.hook_mlp_out", "layers.3.down_out" (the paper's key), "down_out" (of
/// every layer), "hidden_states.4", "blocks.3.mlp.down_proj.grad".

namespace attnlab {

/// When a site is shown: by a forward pass, on the way back, by `watch_weights` and `watch_moments`, or never by a GPT.
enum class shown { forward, backward, of_weights, never };

/// A site as data.
struct site_info {
    std::string name, axes, meaning;
    std::vector<std::string> aliases;
    bool per_layer, alterable;
    shown when;

    /// "blocks.3.hook_resid_pre"; without a layer "blocks.{layer}.hook_resid_pre".
    std::string full_name(std::optional<index_t> layer = {}) const {
        return (per_layer ? text("blocks.", layer ? std::to_string(*layer) : "{layer}", ".") : "") + name;
    }
    bool is_called(std::string_view by) const {
        return name == by || std::find(aliases.begin(), aliases.end(), by) != aliases.end();
    }
};

/// One site of a model, or of every layer where none is named.
struct named_site {
    site_info const* site;
    std::optional<index_t> layer;
    std::string full_name() const { return site->full_name(layer); }
};

namespace detail {

inline std::vector<std::string> words_of(std::string_view line) {
    std::vector<std::string> out;
    while (!line.empty()) {
        auto const end = std::min(line.find(' '), line.size());
        if (end > 0) out.emplace_back(line.substr(0, end));
        line.remove_prefix(std::min(end + 1, line.size()));
    }
    return out;
}

template <class... Sites>
void add_sites(std::vector<site_info>& to, shown when, std::tuple<Sites...>) {
    (to.push_back({std::string(Sites::name), std::string(Sites::axes), std::string(Sites::meaning), words_of(Sites::aliases),
                   Sites::per_layer, Sites::alterable, when}),
     ...);
}
template <class... Sites>
void add_gradients(std::vector<site_info>& to, std::tuple<site::gradient<Sites>...> all) {
    std::size_t at = to.size();
    add_sites(to, shown::backward, all);
    auto const alias = [&](std::string_view names) {
        for (auto const& a : words_of(names)) to[at].aliases.push_back(a + ".grad");
        ++at;
    };
    (alias(Sites::aliases), ...);
}
inline void add_weights(std::vector<site_info>& to) {
    for (auto const& w : site::weights)
        for (auto const& [ending, meaning] : {std::pair<std::string, std::string>{"", w.meaning},
                                              {".grad", "its gradient"},
                                              {".m", "first moment of an optimizer"},
                                              {".v", "second moment of adam"}}) {
            to.push_back({std::string(w.name) + ending, "O I", meaning, {}, true, ending.empty(), shown::of_weights});
            if (!w.alias.empty()) to.back().aliases.push_back(std::string(w.alias) + ending);
        }
}

/// The index of a block at the front of `s`, "3.", taken off; empty when no number stands there.
inline std::optional<index_t> take_layer(std::string_view& s) {
    index_t layer = 0;
    auto const [end, problem] = std::from_chars(s.data(), s.data() + s.size(), layer);
    if (problem != std::errc{} || (end != s.data() + s.size() && *end != '.')) return std::nullopt;
    s.remove_prefix(std::min(static_cast<std::size_t>(end - s.data()) + 1, s.size()));
    return layer;
}

}  // namespace detail

/// Every site by name: those of a pass in order of visit, weights, and what only other families have.
inline std::vector<site_info> const& all_sites() {
    static auto const all = [] {
        std::vector<site_info> out;
        detail::add_sites(out, shown::forward, site::all{});
        detail::add_gradients(out, site::gradients{});
        detail::add_weights(out);
        detail::add_sites(out, shown::never, site::others{});
        return out;
    }();
    return all;
}

/// The site of a model with so many layers that `given` names. \param shown_by_model  names of the sites that the model shows; null: those
/// of a GPT. \throws usage_error, one line, for a name that is none (with those that are near), for a site that only other models have,
/// for a layer that is not there
inline named_site find_site(std::string_view given, index_t layers, std::vector<std::string> const* shown_by_model = nullptr) {
    std::string_view rest = given;
    std::optional<index_t> layer;
    bool in_block = false;
    auto const wrong = [&](auto const&... why) { fail<usage_error>("site '", given, "': ", why...); };
    auto const numbered = [&](index_t most) {
        layer = detail::take_layer(rest);
        if (!layer || *layer < 0 || *layer > most)
            wrong("expected a layer from 0 to ", most, " after '", given.substr(0, given.find('.')), ".'");
    };
    auto const& all = all_sites();
    auto const shows = [&](site_info const& s) {
        return shown_by_model ? std::find(shown_by_model->begin(), shown_by_model->end(), s.name) != shown_by_model->end() : s.when != shown::never;
    };
    // Of two that are called so, the one that the model shows; of two of these the special one: act_out of a gated MLP is not down_in.
    auto const named = [&](std::string_view name) {
        auto found = all.end();
        for (auto at = all.begin(); at != all.end(); ++at)
            if (at->is_called(name) && (found == all.end() || shows(*at))) found = at;
        return found;
    };
    for (std::string_view const front : {"blocks.", "layers."})
        if (rest.starts_with(front)) rest.remove_prefix(front.size()), numbered(layers - 1), in_block = true;
    if (rest.starts_with("hidden_states.") && !in_block) {  // 0: into layer 0; the last: after the last norm
        rest.remove_prefix(std::string_view("hidden_states.").size());
        numbered(layers);
        if (!rest.empty()) wrong("expected nothing after the number");
        if (*layer == layers) return {&*named(site::ln_final::name), {}};
        return {&*named(site::resid_pre::name), layer};
    }
    if (auto const at = named(rest); at != all.end()) {
        if (!shows(*at)) wrong("this model has none", at->meaning.empty() ? "" : text(" (", at->meaning, ")"));
        if (in_block && !at->per_layer) wrong("stands outside the blocks: expected '", at->name, "'");
        return {&*at, layer};
    }

    std::vector<std::string> names{"hidden_states.0"};
    for (auto const& s : all) {
        names.push_back(s.name);
        names.insert(names.end(), s.aliases.begin(), s.aliases.end());
    }
    // "pattern" and "hook_patern" lie nearer to "attn.hook_pattern" than their letters say.
    auto near = nearest_names(rest, names);
    for (auto const& s : all) {
        std::string const last = s.name.substr(s.name.rfind('.') + 1);
        bool const meant = s.name.ends_with("hook_" + std::string(rest)) || !nearest_names(rest, {last}).empty();
        if (near.size() < 3 && meant && std::find(near.begin(), near.end(), s.name) == near.end()) near.push_back(s.name);
    }
    fail<usage_error>("site '", given, "': unknown; ", near.empty() ? "" : "nearest: " + joined(near) + "; ",
                      "`attnlab sites` lists them all");
}

}  // namespace attnlab
