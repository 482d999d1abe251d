#pragma once
#include <string_view>
#include <type_traits>
#include <vector>

#include <attnlab/core/device.hpp>
#include <attnlab/observe/observer.hpp>

namespace attnlab {

/// An observer, on the host, of a model on a device: where it asks for what stands at a site, all kernels started so far are waited for first.
/// Its sites, its questions and what it may change are those of `Observer`, which must outlive it.
template <class Device, observer Observer>
class after_device {
public:
    using sites = sites_of<Observer>;
    using alters = alters_of<Observer>;

    explicit after_device(Observer& o) : inner(o) {}

    static void catch_up() { synchronize(Device{}); }
    template <class Site>
    bool asks_at(Site s, index_t layer) const
        requires requires(Observer const& o) { o.asks_at(s, layer); }
    {
        return inner.asks_at(s, layer);
    }
    bool asks(std::string_view site, index_t layer) const
        requires detail::asks_at_run_time<Observer>
    {
        return inner.asks(site, layer);
    }
    std::vector<index_t> keys_of_columns(index_t layer) const
        requires wants<Observer, site::pattern_columns>
    {
        return keys_of(inner, layer);
    }
    std::vector<index_t> named_layers() const
        requires requires(Observer const& o) { o.named_layers(); }
    {
        return inner.named_layers();
    }
    /// Where no kernel runs.
    operator Observer&() const { return inner; }
    template <class Site, class X>
        requires std::is_invocable_v<Observer&, Site, index_t, X>
    void operator()(Site s, index_t layer, X x) {
        inner(s, layer, x);
    }

    Observer& inner;
};

/// `o` as passes over a model on `Device` take it: itself where nothing has to be waited for, as for one that only wants to know how far the
/// pass is (`reads_nothing`).
template <class Device, observer Observer>
decltype(auto) on_device(Observer& o) {
    if constexpr (is_cuda<Device> && !std::is_same_v<Observer, no_observer> && !requires { Observer::reads_nothing; })
        return after_device<Device, Observer>(o);
    else
        return (o);
}

}  // namespace attnlab
