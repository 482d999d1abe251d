#pragma once
#include <algorithm>
#include <cstdint>
#include <type_traits>

#include <attnlab/core/device.hpp>
#include <attnlab/core/parameter.hpp>
#include <attnlab/layers/factor.hpp>
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
    void logits(factor<Device> const& h, view<S, 2> out) {
        table_.update();
        with_rows([&](auto rows) { multiply(rows, out); }, h);
    }

    /// Mean loss over targets that are not -1, in nats; NaN when there are none.
    double loss(view<S const, 2> h, std::int32_t const* targets) { return loss_and_gradient(h, targets, 0, nullptr); }
    double loss(factor<Device> const& h, std::int32_t const* targets) {
        begin_loss(h, targets, 0, nullptr);
        return mean_loss();
    }
    /// The same, and scale * its gradient, unless dh is null: dh (N, C) is assigned, the table's is added to.
    double loss_and_gradient(view<S const, 2> h, std::int32_t const* targets, double scale, S* dh) {
        run(h, targets, scale, dh);
        return mean_loss();
    }

    /// The same in two steps, between which a device can go on: nobody waits for it before `mean_loss`.
    void begin_loss(factor<Device> const& h, std::int32_t const* targets, double scale, S* dh) {
        with_rows([&](auto rows) { run(rows, targets, scale, dh); }, h);
    }
    double mean_loss() const {
        synchronize(Device{});
        double sum = 0;
        for (double l : *losses_) sum += l;
        return sum / static_cast<double>(counted_);
    }

private:
    template <class X>
    void run(view<X const, 2> h, std::int32_t const* targets, double scale, S* dh) {
        index_t const n = h.shape(0), C = h.shape(1), V = vocabulary_;
        counted_ = std::count_if(targets, targets + n, [](std::int32_t t) { return t != -1; });
        // At least 256 rows, or the products wait for the table, which each slab reads three times: with V 50304 that is 49 MiB. A GPU
        // has room for two gigabytes, or for one of floats, and does not feel the table's gradient, which each slab reads and writes.
        // Where a GPU multiplies in bfloat16 and learns, logits are rounded on their way through memory, as nanoGPT's are under autocast.
        bool const rounds = !std::is_same_v<X, S> && dh && form_.scale == 1 && form_.cap == 0;
        index_t const numbers = !is_cuda<Device> ? 1 << 20 : rounds ? 1 << 30 : 1 << 28, slab = std::min(n, std::max<index_t>(256, numbers / V));
        table_.update();
        rounds ? rounded_slab_.resize({slab, V}) : slab_.resize({slab, V});
        losses_.resize({n});
        for (index_t first = 0; first < n; first += slab) {
            index_t const rows = std::min(slab, n - first);
            view<X const, 2> const x{h.data() + first * C, {rows, C}};
            S const by = static_cast<S>(scale / static_cast<double>(counted_));
            S *const dx = dh ? dh + first * C : nullptr, *const d_bias = form_.bias ? form_.bias->gradient.data() : nullptr;
            if constexpr (!std::is_same_v<X, S>)
                if (rounds) {
                    view<X, 2> const y{rounded_slab_.data(), {rows, V}};
                    linear_forward(Device{}, x, table_.rounded(), bias(), y);
                    cross_entropy(Device{}, y, targets + first, by, true, losses_.data() + first);
                    linear_backward(Device{}, view<X const, 2>(y), x, table_.rounded(), dx, table_.gradient(), d_bias);
                    continue;
                }
            view<S, 2> const y{slab_.data(), {rows, V}};
            if (dh && form_.cap > 0) slope_.resize({rows, V});
            multiply(x, y, dh && form_.cap > 0 ? slope_.data() : nullptr);
            cross_entropy(Device{}, y, targets + first, by, dh != nullptr, losses_.data() + first);
            if (!dh) continue;
            finish_backward(y);
            with_table(x, [&](auto w) { linear_backward(Device{}, view<S const, 2>(y), x, w, dx, table_.gradient(), d_bias); });
        }
    }
    /// \param slope  that of the cap, (N, V), unless null
    template <class X>
    void multiply(view<X const, 2> h, view<S, 2> out, S* slope = nullptr) const {
        with_table(h, [&](auto w) { linear_forward(Device{}, h, w, bias(), out); });
        if (form_.scale != 1) multiply_by(Device{}, static_cast<S>(form_.scale), flat(out));
        if (form_.cap > 0) soft_cap_forward(Device{}, static_cast<S>(form_.cap), flat(view<S const, 2>(out)), flat(out), slope);
    }
    S const* bias() const { return form_.bias ? form_.bias->value.data() : nullptr; }
    /// `product(w)`: the table as what h is multiplied with.
    template <class X, class Product>
    void with_table(view<X const, 2>, Product product) const {
        if constexpr (std::is_same_v<X, S>)
            table_.multiply(product);
        else
            product(table_.rounded());
    }
    /// dy by logits becomes that by h W^T and the bias.
    void finish_backward(view<S, 2> dy) const {
        if (form_.cap > 0) multiply_by(Device{}, view<S const, 1>(slope_.data(), {dy.size()}), flat(dy));
        if (form_.scale != 1) multiply_by(Device{}, static_cast<S>(form_.scale), flat(dy));
    }

    index_t vocabulary_;
    weight<Device> table_;
    logit_form<S> form_;
    tensor<S, 2> slab_, slope_;   // logits, and their cap's slope
    tensor<bfloat16, 2> rounded_slab_;
    tensor<double, 1> losses_;
    index_t counted_ = 0;   // targets that are not -1
};

}  // namespace attnlab
