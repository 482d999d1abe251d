#pragma once
#include <algorithm>
#include <array>
#include <tuple>
#include <type_traits>

#include <attnlab/core/bfloat16.hpp>
#include <attnlab/core/buffer.hpp>
#include <attnlab/core/device.hpp>
#include <attnlab/core/precision.hpp>
#include <attnlab/observe/observer.hpp>

namespace attnlab {

/// Rows (N, I) that a Linear multiplies and that stay for the way back. A GPU that multiplies in bfloat16 rounds them as it makes them: products
/// read nothing else, and memory is what half of such a step waits for.
template <class Device>
class factor {
    using S = typename Device::scalar;

public:
    static constexpr bool may_be_rounded = is_cuda<Device>;

    /// Whether rows that products of this precision read are rounded.
    static constexpr bool rounds(precision products) { return may_be_rounded && products == precision::bfloat16; }

    /// \param both  somebody reads the rows as they were, too: where they are rounded there are both
    void resize(std::array<index_t, 2> shape, precision products, bool both = false) {
        is_rounded_ = rounds(products), has_whole_ = both || !is_rounded_;
        if (is_rounded_) rounded_.resize(shape);
        if (has_whole_) whole_.resize(shape);
    }
    bool has_whole() const { return has_whole_; }
    bool is_rounded() const { return is_rounded_; }
    std::array<index_t, 2> const& shape() const { return is_rounded_ ? rounded_.shape() : whole_.shape(); }

    view<S, 2> whole() { return whole_; }
    view<S const, 2> whole() const { return whole_; }
    view<bfloat16, 2> rounded() { return rounded_; }
    view<bfloat16 const, 2> rounded() const { return rounded_; }

private:
    tensor<S, 2> whole_;
    tensor<bfloat16, 2> rounded_;
    bool is_rounded_ = false, has_whole_ = false;
};

/// `body(rows...)`: views of factors that are all rounded, or all not.
template <class Body, class... Factors>
void with_rows(Body body, Factors&... x) {
    if constexpr ((Factors::may_be_rounded && ...))
        if (std::get<0>(std::tie(x...)).is_rounded()) return body(x.rounded()...);
    body(x.whole()...);
}

/// Passes the rows, as (B, T, I), to an observer that asks: on its way through the host what is rounded is a float, and what was changed is rounded again.
template <class Site, observer Observer, class Factor>
void watch([[maybe_unused]] Observer& o, Site site, [[maybe_unused]] index_t layer, Factor& x, [[maybe_unused]] std::array<index_t, 2> const& batch)
    requires requires { x.is_rounded(); }
{
    if constexpr (wants<Observer, Site>) {
        auto const in_batch = [&](auto rows) { return [=] { return rows.reshaped(std::array{batch[0], batch[1], rows.shape(1)}); }; };
        if constexpr (Factor::may_be_rounded)
            if (x.is_rounded()) {
                if (!asked(o, site, layer)) return;
                auto const rows = x.rounded();
                using element = std::conditional_t<std::is_const_v<Factor>, float const, float>;
                tensor<float, 2> room;
                view<element, 2> seen;
                if (x.has_whole()) {
                    seen = x.whole();
                } else {
                    room.resize(x.shape());
                    std::transform(rows.begin(), rows.end(), room.data(), [](bfloat16 v) { return static_cast<float>(v); });
                    seen = *room;
                }
                watch(o, site, layer, in_batch(seen));
                if constexpr (alters<Observer, Site> && !std::is_const_v<Factor>)
                    std::transform(seen.begin(), seen.end(), rows.begin(), [](float v) { return bfloat16(v); });
                return;
            }
        watch(o, site, layer, in_batch(x.whole()));
    }
}

}  // namespace attnlab
