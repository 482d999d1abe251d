#pragma once
#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/observe/observer.hpp>

/// \file
/// Interventions: an observer that may change the tensors that pass. What it writes flows on into the rest of the pass; a site
/// whose change could not flow on does not compile. Only forward passes take one: a change has no gradient.

namespace attnlab {

/// Calls `change(site, layer, x)` at each of `Sites`, x a view that may be written to. Made by `alter`.
template <class Change, class... Sites>
class altering {
public:
    using sites = site_list<>;
    using alters = site_list<Sites...>;

    explicit altering(Change change) : change_(std::move(change)) {}

    template <class Site, class T, std::size_t N>
        requires(std::is_same_v<Site, Sites> || ...)
    void operator()(Site s, index_t layer, view<T, N> x) {
        change_(s, layer, x);
    }

private:
    Change change_;
};

/// `auto silent = alter<site::v>([](auto, index_t layer, auto v) { ... }); model.loss(x, y, silent);`
template <class... Sites, class Change>
auto alter(Change change) {
    return altering<Change, Sites...>(std::move(change));
}

/// `Observer` in some layers only. A layer that the model does not have is an error when they meet.
template <observer Observer>
class in_layers {
public:
    using sites = sites_of<Observer>;
    using alters = alters_of<Observer>;

    in_layers(Observer& o, std::vector<index_t> layers) : o_(o), layers_(std::move(layers)) {}

    template <class Site>
    bool asks_at(Site s, index_t layer) const {
        return (!Site::per_layer || has(layer)) && asked(o_, s, layer);
    }
    bool asks(std::string_view name, index_t layer) const
        requires detail::asks_at_run_time<Observer>
    {
        return has(layer) && o_.asks(name, layer);
    }
    std::vector<index_t> keys_of_columns(index_t layer) const
        requires wants<Observer, site::pattern_columns>
    {
        return keys_of(o_, layer);
    }
    template <class Site, class T, std::size_t N>
    void operator()(Site s, index_t layer, view<T, N> x) {
        if (!Site::per_layer || has(layer)) watch(o_, s, layer, x);
    }
    std::vector<index_t> const& named_layers() const { return layers_; }

private:
    bool has(index_t layer) const { return std::find(layers_.begin(), layers_.end(), layer) != layers_.end(); }

    Observer& o_;
    std::vector<index_t> layers_;
};

}  // namespace attnlab
