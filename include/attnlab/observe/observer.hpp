#pragma once
#include <concepts>
#include <tuple>
#include <type_traits>

#include <attnlab/observe/site.hpp>

/// \file
/// Observers: who looks. An observer states its sites and has one call operator for each; a model passes it the tensor there.
/// What is wanted is known at compile time: what nobody asks for is neither computed nor copied, and an observer that nobody
/// passes leaves no code behind.

namespace attnlab {

/// The sites an observer wants: `using sites = site_list<site::resid_pre, site::v>;`
template <class... Sites>
using site_list = std::tuple<Sites...>;

namespace detail {
template <class Site, class List>
inline constexpr bool contains = false;
template <class Site, class... Sites>
inline constexpr bool contains<Site, std::tuple<Sites...>> = (std::is_same_v<Site, Sites> || ...);

template <class List>
inline constexpr bool all_known = false;
template <class... Sites>
inline constexpr bool all_known<std::tuple<Sites...>> = (contains<Sites, site::all> && ...);
}  // namespace detail

/// Something that states the sites it wants.
template <class O>
concept observer = requires { typename O::sites; };

/// Looks nowhere.
struct no_observer {
    using sites = site_list<>;
};

/// Whether `Observer` looks at `Site`.
template <class Observer, class Site>
inline constexpr bool wants = detail::contains<Site, typename Observer::sites>;

/// Passes `x` to the observer if it looks at `Site`. Called by layers: `watch(observer, site::resid_pre{}, layer, x)`; an
/// observer's operator is `void operator()(site::resid_pre, index_t layer, view<T const, 3> x)`.
template <class Site, observer Observer, class T, std::size_t N>
void watch(Observer& o, Site, [[maybe_unused]] index_t layer, [[maybe_unused]] view<T, N> x) {
    static_assert(detail::all_known<typename Observer::sites>, "an observer's list of sites names something that is not a site "
                                                               "of this model (see attnlab/observe/site.hpp)");
    if constexpr (wants<Observer, Site>) {
        static_assert(requires { o(Site{}, layer, view<T const, N>(x)); },
                      "an observer states a site but has no operator()(site, index_t layer, view<T const, N>) for it");
        o(Site{}, layer, view<T const, N>(x));
    }
}

}  // namespace attnlab
