#pragma once
#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/observe/site.hpp>

/// \file
/// Observers: who looks, and who changes. An observer states its sites and has one call operator for each; a model passes it the
/// tensor there. What is wanted is known at compile time: what nobody asks for is neither computed nor copied, and an observer
/// that nobody passes leaves no code behind.
///
///     struct mine {
///         using sites = site_list<site::resid_pre>;   // looked at
///         using alters = site_list<site::v>;          // may be changed; a list that is empty may be left out
///         void operator()(site::resid_pre, index_t layer, view<float const, 3> x);
///         void operator()(site::v, index_t layer, view<float, 4> x);   // what is written here flows on
///         std::vector<index_t> named_layers() const;                   // for an observer that names layers: they are checked
///     };

namespace attnlab {

/// The sites an observer wants: `using sites = site_list<site::resid_pre, site::v>;`
template <class... Sites>
using site_list = std::tuple<Sites...>;

namespace detail {
template <class Site, class List>
inline constexpr bool contains = false;
template <class Site, class... Sites>
inline constexpr bool contains<Site, std::tuple<Sites...>> = (std::is_same_v<Site, Sites> || ...);

template <class Inner, class Outer>
inline constexpr bool within = false;
template <class... Sites, class Outer>
inline constexpr bool within<std::tuple<Sites...>, Outer> = (contains<Sites, Outer> && ...);

template <class... Lists>
using joined_lists = decltype(std::tuple_cat(std::declval<Lists>()...));

template <class O>
concept states_sites = requires { typename O::sites; };
template <class O>
concept states_alters = requires { typename O::alters; };
/// Its sites are checked against a model's when names are read, not when it is compiled.
template <class O>
concept asks_at_run_time = requires(O const& o) { o.asks("", index_t{}); };
}  // namespace detail

/// Something that states the sites it wants, to look at or to change.
template <class O>
concept observer = detail::states_sites<O> || detail::states_alters<O>;

namespace detail {
template <class O>
struct lists {
    static auto looked() {
        if constexpr (states_sites<O>)
            return std::type_identity<typename O::sites>{};
        else
            return std::type_identity<site_list<>>{};
    }
    static auto altered() {
        if constexpr (states_alters<O>)
            return std::type_identity<typename O::alters>{};
        else
            return std::type_identity<site_list<>>{};
    }
};
}  // namespace detail

/// The sites that `Observer` looks at, and those that it may change.
template <observer Observer>
using sites_of = typename decltype(detail::lists<Observer>::looked())::type;
template <observer Observer>
using alters_of = typename decltype(detail::lists<Observer>::altered())::type;

/// Looks nowhere.
struct no_observer {
    using sites = site_list<>;
};

/// Whether `Observer` may change what stands at `Site`.
template <class Observer, class Site>
inline constexpr bool alters = detail::contains<Site, alters_of<Observer>>;
/// Whether `Observer` looks at `Site`, or changes it.
template <class Observer, class Site>
inline constexpr bool wants = detail::contains<Site, sites_of<Observer>> || alters<Observer, Site>;

namespace detail {
/// The view that is meant: a tensor's, what is returned, or the view itself.
template <class X>
auto as_view(X& x) {
    if constexpr (requires { *x; })
        return *x;
    else if constexpr (requires { x(); })
        return x();
    else
        return x;
}
template <class T, std::size_t N>
std::type_identity<T> element_of(view<T, N>);
}  // namespace detail

/// Whether the observer asks for `Site` in this layer. One that passes sites on to others (`together`, `in_layers`) knows by
/// `bool asks_at(Site, index_t layer) const`; one whose sites are known at run time (observe/any_observer.hpp) by
/// `bool asks(std::string_view name, index_t layer) const`.
template <class Site, observer Observer>
constexpr bool asked(Observer const& o, Site, index_t layer) {
    if constexpr (!wants<Observer, Site>)
        return false;
    else {
        bool yes = true;
        if constexpr (requires { o.asks_at(Site{}, layer); }) yes = o.asks_at(Site{}, layer);
        else if constexpr (requires { o.asks(Site::name, layer); }) yes = o.asks(Site::name, layer);
        if constexpr (requires { o.catch_up(); })   // observe/after_device.hpp
            if (yes) o.catch_up();
        return yes;
    }
}

/// Passes `x` to the observer if it wants `Site`: to be looked at, or to be changed in place. Called by layers:
/// `watch(observer, site::resid_pre{}, layer, x)`. \param x  a view, a tensor, or what returns a view; untouched for nobody
template <class Site, observer Observer, class X>
void watch([[maybe_unused]] Observer& o, Site, [[maybe_unused]] index_t layer, [[maybe_unused]] X&& x) {
    if constexpr (wants<Observer, Site>) {
        if (!asked(o, Site{}, layer)) return;
        auto const given = detail::as_view(x);
        using T = typename decltype(detail::element_of(given))::type;
        using seen =
            view<std::conditional_t<alters<Observer, Site>, T, T const>, std::tuple_size_v<typename decltype(given)::shape_type>>;
        // What is known at run time only may be looked at where it can not flow on.
        constexpr bool flows = !alters<Observer, Site> || (Site::alterable && !std::is_const_v<T>) || detail::asks_at_run_time<Observer>;
        constexpr bool called = requires(seen y) { o(Site{}, layer, y); };
        static_assert(
            flows,
            "an observer alters a site whose change can not flow on: it is made for observers beside the fused kernel, which "
            "never reads it (q, k and v it reads)");
        static_assert(called,
                      "an observer states a site but has no operator()(site, index_t layer, view<T const, N>) for it; view<T, N> "
                      "where it alters");
        if constexpr (flows && called) o(Site{}, layer, seen(given));
    }
}

namespace detail {
/// Whether an observer asks for the site of that name: known at run time, or by its type.
template <observer Observer>
bool asks_by_name(Observer const& o, std::string_view name, index_t layer) {
    if constexpr (asks_at_run_time<Observer>)
        return o.asks(name, layer);
    else
        return std::apply([&](auto... s) { return ((decltype(s)::name == name && asked(o, s, layer)) || ...); }, joined_lists<sites_of<Observer>, alters_of<Observer>>{});
}
}  // namespace detail

/// The keys whose columns an observer wants of site::pattern_columns in a layer: its `keys`, or the first token, where sinks are.
template <observer Observer>
std::vector<index_t> keys_of([[maybe_unused]] Observer const& o, [[maybe_unused]] index_t layer) {
    if constexpr (!wants<Observer, site::pattern_columns>)
        return {};
    else if constexpr (requires { o.keys_of_columns(layer); })
        return o.keys_of_columns(layer);
    else if constexpr (requires { o.keys; })
        return o.keys;
    else
        return {0};
}

/// Several observers as one, in this order at each site: who changes before who looks. They must outlive it.
template <observer... Observers>
class together {
public:
    using sites = detail::joined_lists<sites_of<Observers>...>;
    using alters = detail::joined_lists<alters_of<Observers>...>;

    explicit together(Observers&... all) : all_(all...) {}

    template <class Site>
    bool asks_at(Site s, index_t layer) const {
        return std::apply([&](auto const&... o) { return (asked(o, s, layer) || ...); }, all_);
    }
    bool asks(std::string_view name, index_t layer) const
        requires(detail::asks_at_run_time<Observers> || ...)
    {
        return std::apply([&](auto const&... o) { return (detail::asks_by_name(o, name, layer) || ...); }, all_);
    }
    /// \throws usage_error where two of them want different keys: the columns are made once for all
    std::vector<index_t> keys_of_columns(index_t layer) const
        requires(wants<Observers, site::pattern_columns> || ...)
    {
        std::vector<index_t> keys;
        bool first = true;
        [[maybe_unused]] auto const add = [&]<observer O>(O const& o) {
            if constexpr (wants<O, site::pattern_columns>) {
                if (!asked(o, site::pattern_columns{}, layer)) return;
                if (auto const mine = keys_of(o, layer); first) keys = mine, first = false;
                else if (mine != keys) fail<usage_error>("together: two observers ask for columns of different keys: expected the same `keys` in both");
            }
        };
        std::apply([&](auto const&... o) { (add(o), ...); }, all_);
        return keys;
    }

    template <class Site, class T, std::size_t N>
    void operator()(Site s, index_t layer, view<T, N> x) {
        std::apply([&](auto&... o) { (watch(o, s, layer, x), ...); }, all_);
    }
    std::vector<index_t> named_layers() const {
        std::vector<index_t> out;
        [[maybe_unused]] auto const add = [&](auto const& o) {
            if constexpr (requires { o.named_layers(); })
                for (index_t l : o.named_layers()) out.push_back(l);
        };
        std::apply([&](auto const&... o) { (add(o), ...); }, all_);
        return out;
    }

private:
    std::tuple<Observers&...> all_;
};

/// What a model asks before a pass: are the layers that the observer names there? \throws usage_error when one is not
template <observer Observer>
void check_layers([[maybe_unused]] Observer const& o, [[maybe_unused]] index_t layers) {
    if constexpr (requires { o.named_layers(); })
        for (index_t l : o.named_layers())
            if (l < 0 || l >= layers)
                fail<usage_error>("observer: layer ", l, ": expected 0 to ", layers - 1, ", the blocks of this model");
}

/// What a model asks when a pass is compiled: does it visit, of `Visited`, all that the observer wants?
template <observer Observer, class Visited>
constexpr void check_sites() {
    static_assert(detail::asks_at_run_time<Observer> ||
                      (detail::within<sites_of<Observer>, Visited> && detail::within<alters_of<Observer>, Visited>),
                  "an observer states a site that this pass does not visit (or `sites` is no site_list): logits() visits site::all, loss() the same without "
                  "site::logits, loss_and_gradient() site::gradients besides (see attnlab/observe/site.hpp)");
}

}  // namespace attnlab
