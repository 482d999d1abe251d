#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

#include <attnlab/core/device.hpp>
#include <attnlab/core/parameter.hpp>
#include <attnlab/layers/weight.hpp>

namespace attnlab {

/// What some families do to logits: cap tanh(scale (h W^T + b) / cap).
template <class S>
struct logit_form {
    double scale = 1, cap = 0;            ///< a cap of 0: none
    parameter<S>* bias = nullptr;         ///< (V)
};

/// The head and the cross-entropy together, a slab of rows at a time, so that the (N, V) logits and their gradient never exist whole.
template <class Device>
class loss_head {
    using S = typename Device::scalar;

public:
    /// `table` (V, C) is the token table where the head is tied, else a parameter of its own.
    loss_head(parameter<S>* table, precision products, logit_form<S> form = {})
        : vocabulary_(table->shape[0]), table_(table, products), form_(form) {}

    /// logits (N, V) = h W^T, and what the form makes of it
    void logits(view<S const, 2> h, view<S, 2> out) {
        table_.update();
        multiply(h, out);
    }

    /// Mean loss over targets that are not -1, in nats; NaN when there are none.
    double loss(view<S const, 2> h, std::int32_t const* targets) { return run(h, targets, 0, nullptr); }

    /// The same, and scale * its gradient: dh (N, C) is assigned, the table's is added to.
    double loss_and_gradient(view<S const, 2> h, std::int32_t const* targets, double scale, S* dh) { return run(h, targets, scale, dh); }

private:
    double run(view<S const, 2> h, std::int32_t const* targets, double scale, S* dh) {
        index_t const n = h.shape(0), C = h.shape(1), V = vocabulary_;
        auto const counted = std::count_if(targets, targets + n, [](std::int32_t t) { return t != -1; });
        // At least 256 rows, or the products wait for the table, which each slab reads three times: with V 50304 that is 49 MiB. A GPU
        // has room for half a gigabyte, and with few slabs it hardly feels the table's gradient, read and written by each.
        index_t const numbers = is_cuda<Device> ? 1 << 27 : 1 << 20;
        index_t const slab = std::min(n, std::max<index_t>(256, numbers / V));
        table_.update();
        slab_.resize({slab, V});
        losses_.resize(static_cast<std::size_t>(n));
        for (index_t first = 0; first < n; first += slab) {
            index_t const rows = std::min(slab, n - first);
            view<S const, 2> const x{h.data() + first * C, {rows, C}};
            view<S, 2> const y{slab_.data(), {rows, V}};
            multiply(x, y);
            if (dh && form_.cap > 0) capped_.assign(y.begin(), y.end());
            cross_entropy(Device{}, y, targets + first, static_cast<S>(scale / static_cast<double>(counted)), dh != nullptr,
                          losses_.data() + first);
            if (!dh) continue;
            finish_backward(y);
            table_.multiply([&](auto w) {
                linear_backward(Device{}, view<S const, 2>(y), x, w, dh + first * C, table_.gradient(), static_cast<S*>(nullptr));
            });
        }
        synchronize(Device{});
        double sum = 0;
        for (double l : losses_) sum += l;
        return sum / static_cast<double>(counted);
    }
    void multiply(view<S const, 2> h, view<S, 2> out) const {
        table_.multiply([&](auto w) { linear_forward(Device{}, h, w, form_.bias ? form_.bias->value.data() : nullptr, out); });
        if (form_.scale != 1)
            for (S& y : out) y *= static_cast<S>(form_.scale);
        if (S const cap = static_cast<S>(form_.cap); cap > 0)
            for (S& y : out) y = cap * std::tanh(y / cap);
    }
    /// dy by logits becomes that by h W^T; the bias takes its own.
    void finish_backward(view<S, 2> dy) const {
        if (form_.cap > 0)
            for (index_t i = 0; i < dy.size(); ++i) {
                S const share = capped_[static_cast<std::size_t>(i)] / static_cast<S>(form_.cap);
                dy.data()[i] *= 1 - share * share;
            }
        if (form_.scale != 1)
            for (S& d : dy) d *= static_cast<S>(form_.scale);
        if (form_.bias)
            for (index_t i = 0; i < dy.size(); ++i) form_.bias->gradient[static_cast<std::size_t>(i % vocabulary_)] += dy.data()[i];
    }

    index_t vocabulary_;
    weight<Device> table_;
    logit_form<S> form_;
    tensor<S, 2> slab_;
    buffer<S> capped_;   // logits of a slab, for the slope of the cap
    buffer<double> losses_;
};

}  // namespace attnlab
