#pragma once
#include <attnlab/observe/observer.hpp>

namespace attnlab {

/// An observer that may change keys, values and merged heads, and sees the pattern and the gate between them. One type whatever is done
/// with it: a model is compiled for it once. Not for policies that make q, k or v inside the kernel.
template <class T>
class attention_changer {
public:
    using sites = site_list<site::pattern, site::gate>;
    using alters = site_list<site::k, site::v, site::z>;
    virtual ~attention_changer() = default;

    void operator()(site::k, index_t layer, view<T, 4> x) { keys(layer, x); }
    void operator()(site::v, index_t layer, view<T, 4> x) { values(layer, x); }
    void operator()(site::pattern, index_t layer, view<T const, 4> x) { pattern(layer, x); }
    void operator()(site::gate, index_t layer, view<T const, 3> x) { gate(layer, x); }
    void operator()(site::z, index_t layer, view<T, 3> x) { heads(layer, x); }

protected:
    virtual void keys(index_t, view<T, 4>) {}            ///< (B, H_kv, T, D)
    virtual void values(index_t, view<T, 4>) {}          ///< (B, H_kv, T, D)
    virtual void pattern(index_t, view<T const, 4>) {}   ///< (B, H, T, T)
    virtual void gate(index_t, view<T const, 3>) {}      ///< (B, H, T)
    virtual void heads(index_t, view<T, 3>) {}           ///< (B, T, H D)
};

}  // namespace attnlab
