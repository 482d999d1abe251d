#pragma once
#include <map>
#include <string>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/observe/observer.hpp>

/// \file
/// The simplest observer: keep a copy of what passes, under the site's full name.

namespace attnlab {

/// A copy of one site's tensor.
template <class T>
struct recorded {
    std::vector<index_t> shape;
    std::vector<T> values;
};

/// Keeps the last tensor seen at each of `Sites`: `record<float, site::pattern, site::v> r; model.logits(x, r); r.at("blocks.0.attn.hook_v")`.
template <class T, class... Sites>
class record {
public:
    using sites = site_list<Sites...>;

    template <class Site, std::size_t N>
    void operator()(Site, index_t layer, view<T const, N> x) {
        auto& r = seen_[site::full_name<Site>(layer)];
        r.shape.assign(x.shape().begin(), x.shape().end());
        r.values.assign(x.begin(), x.end());
        order_.push_back(site::full_name<Site>(layer));
    }

    /// \throws error when that site was not seen
    recorded<T> const& at(std::string const& name) const {
        auto const it = seen_.find(name);
        if (it == seen_.end()) fail("no record of site '", name, "'; seen: ", joined(order_));
        return it->second;
    }
    /// Full names in order of visit.
    std::vector<std::string> const& visits() const { return order_; }

private:
    std::map<std::string, recorded<T>> seen_;
    std::vector<std::string> order_;
};

}  // namespace attnlab
