#pragma once
#include <algorithm>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <attnlab/core/nearest_names.hpp>
#include <attnlab/core/parameter.hpp>
#include <attnlab/observe/observer.hpp>

/// \file
/// Weights, their gradients and an optimizer's moments as sites: no pass visits them, they are shown when asked.

namespace attnlab {

/// nanoGPT's name of a block's weight: "mlp.down_proj" is "mlp.c_proj".
constexpr std::string_view gpt_weight_name(std::string_view name) {
    for (auto const& w : site::weights)
        if (w.alias == name && !name.empty()) return w.name;
    return name;
}

/// The weight at `Site` in every block of a GPT, in order. \throws error that names near ones when no block has it
template <class Weight, class T>
std::vector<parameter<T>*> weights_at(parameter_list<T> const& parameters) {
    std::string const ending = text('.', gpt_weight_name(Weight::name), ".weight");
    std::vector<parameter<T>*> out;
    for (auto const& p : parameters)
        if (p->name.starts_with(text("transformer.h.", out.size(), '.')) && p->name.ends_with(ending)) out.push_back(p.get());
    if (!out.empty()) return out;
    std::vector<std::string> names;
    for (auto const& w : site::weights) names.emplace_back(w.name), names.emplace_back(w.alias);
    std::erase(names, "");
    auto const near = nearest_names(Weight::name, names);
    fail("weight '", Weight::name, "': no block of this model has it; ",
         near.empty() ? "there are: " : "nearest: ", joined(near.empty() ? names : near));
}

namespace detail {
/// `show(site, layer, parameter, index in the list)` for each weight that the observer's site is about.
template <template <class> class Of, class Site>
inline constexpr bool is_about = false;
template <template <class> class Of, class W>
inline constexpr bool is_about<Of, Of<W>> = true;

template <class Site>
inline constexpr bool is_weight_site = false;
template <fixed_string Name>
inline constexpr bool is_weight_site<site::weight<Name>> = true;

template <class Site>
struct site_subject {
    using type = Site;
};
template <template <class> class About, class W>
struct site_subject<About<W>> {
    using type = W;
};

template <class T>
view<T, 2> as_matrix(std::vector<index_t> const& shape, T* values) {
    require(shape.size() == 2, "weight: expected a matrix, got a tensor of rank ", shape.size());
    return {values, {shape[0], shape[1]}};
}
}  // namespace detail

/// Shows, layer by layer, what the observer wants of weights and their gradients: `weight<"mlp.down_proj">`,
/// `gradient<weight<"mlp.down_proj">>`. An observer that alters a weight does so for good (weight_edit takes edits back).
template <class T, observer Observer>
void watch_weights(parameter_list<T> const& parameters, Observer& o) {
    auto const show = [&]<class Site>(Site s) {
        using subject = typename detail::site_subject<Site>::type;
        static_assert(detail::is_weight_site<subject> && (detail::is_weight_site<Site> || detail::is_about<site::gradient, Site>),
                      "watch_weights: expected sites that are weights or gradients of weights");
        auto const all = weights_at<subject>(parameters);
        for (std::size_t l = 0; l < all.size(); ++l)
            watch(
                o, s, static_cast<index_t>(l),
                detail::as_matrix(all[l]->shape, detail::is_weight_site<Site> ? all[l]->value.data() : all[l]->gradient.data()));
    };
    std::apply([&](auto... s) { (show(s), ...); }, sites_of<Observer>{});
    std::apply([&](auto... s) { (show(s), ...); }, alters_of<Observer>{});
}

/// The same of an optimizer's moments, `first_moment<weight<...>>` and `second_moment<weight<...>>`. \param adam  has `state()`
/// \throws error when the optimizer keeps no such moment
template <class T, class Optimizer, observer Observer>
void watch_moments(parameter_list<T> const& parameters, Optimizer& adam, Observer& o) {
    auto const state = adam.state();
    auto const show = [&]<class Site>(Site s) {
        constexpr bool first = detail::is_about<site::first_moment, Site>;
        static_assert(first || detail::is_about<site::second_moment, Site>,
                      "watch_moments: expected sites that are moments of weights");
        auto const all = weights_at<typename detail::site_subject<Site>::type>(parameters);
        for (std::size_t l = 0; l < all.size(); ++l) {
            auto const at = std::find_if(state.begin(), state.end(), [&](auto const& a) {
                return a.name == "optimizer.v." + all[l]->name
                           ? !first
                           : first && (a.name == "optimizer.m." + all[l]->name || a.name == "optimizer.momentum." + all[l]->name);
            });
            require(at != state.end(), "moments: this optimizer keeps no ", Site::name);
            watch(o, s, static_cast<index_t>(l), detail::as_matrix(at->shape, static_cast<T const*>(at->values.data())));
        }
    };
    std::apply([&](auto... s) { (show(s), ...); }, sites_of<Observer>{});
}

}  // namespace attnlab
