#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include <attnlab/observe/observer.hpp>

/// \file
/// An observer whose sites are known at run time only: what commands, files and scripts ask for by name. A model is compiled once for
/// it, with every site; what it does not ask for in a layer is not made in that layer.

namespace attnlab {

/// What stands at a site. Values lie row-major and stay until the call returns.
struct seen_site {
    std::string_view site;              ///< its name without a layer, "hook_resid_post"
    index_t layer = 0;
    index_t first_sequence = 0;         ///< which sequence of the pass the first axis begins with: long passes go by few at a time
    std::vector<index_t> shape;         ///< as the site's axes say: (B, T, C), (B, H, T, D), (B, H, T, T), ...
    std::span<float const> values;
    std::span<float> alterable;         ///< the same values where a change flows on, else empty
};

namespace detail {
template <class List>
struct only_alterable;
template <class... Sites>
struct only_alterable<std::tuple<Sites...>> {
    using type = decltype(std::tuple_cat(std::conditional_t<Sites::alterable, std::tuple<Sites>, std::tuple<>>{}...));
};
template <class List>
struct only_by_product;
template <class... Sites>
struct only_by_product<std::tuple<Sites...>> {
    using type = decltype(std::tuple_cat(std::conditional_t<Sites::alterable, std::tuple<>, std::tuple<Sites>>{}...));
};
}  // namespace detail

/// Derive, say which sites (`asks`), and look (`see`).
class any_observer {
public:
    using every_site = decltype(std::tuple_cat(site::all{}, site::others{}));
    using sites = typename detail::only_by_product<every_site>::type;
    using alters = typename detail::only_alterable<every_site>::type;

    std::vector<index_t> keys = {0};    ///< whose columns site::pattern_columns shows
    index_t first_sequence = 0;         ///< set by the model

    virtual ~any_observer() = default;
    /// Whether `see` is to be called. \param site  the site's name, as `site::resid_post::name`
    virtual bool asks(std::string_view site, index_t layer) const = 0;
    virtual void see(seen_site const& x) = 0;

    template <class Site, class T, std::size_t N>
    void operator()(Site, index_t layer, view<T, N> x) {
        seen_site s{Site::name, layer, first_sequence, {x.shape().begin(), x.shape().end()}, {x.data(), static_cast<std::size_t>(x.size())}, {}};
        if constexpr (!std::is_const_v<T>) s.alterable = {x.data(), static_cast<std::size_t>(x.size())};
        see(s);
    }
};

/// An observer whose type states its sites, as one that asks at run time: so that a model compiled once serves it.
template <observer Observer>
class asking final : public any_observer {
public:
    /// \param o  must outlive it
    explicit asking(Observer& o) : o_(o) {
        if constexpr (wants<Observer, site::pattern_columns>) keys = keys_of(o, 0);
    }
    bool asks(std::string_view site, index_t layer) const override { return detail::asks_by_name(o_, site, layer); }
    void see(seen_site const& x) override {
        each_site([&]<class Site>(Site s) {
            if (Site::name != x.site) return false;
            constexpr std::size_t rank = (Site::axes.size() + 1) / 2;
            std::array<index_t, rank> shape;
            std::copy(x.shape.begin(), x.shape.end(), shape.begin());
            if constexpr (attnlab::alters<Observer, Site>) {
                require(!x.alterable.empty(), "observer: what stands at ", x.site, " cannot be changed under this policy");
                o_(s, x.layer, view<float, rank>(x.alterable.data(), shape));
            } else {
                o_(s, x.layer, view<float const, rank>(x.values.data(), shape));
            }
            return true;
        });
    }

private:
    /// Whether `is` says yes to one of the sites, each asked in order until then.
    template <class Is>
    static bool each_site(Is is) {
        return std::apply([&](auto... s) { return (is(s) || ...); }, detail::joined_lists<sites_of<Observer>, alters_of<Observer>>{});
    }

    Observer& o_;
};

}  // namespace attnlab
