#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <attnlab/kernels/ids.hpp>
#include <attnlab/models/decoder/layer.hpp>
#include <attnlab/observe/after_device.hpp>
#include <attnlab/observe/language_model.hpp>

namespace attnlab {

/// A decoder-only transformer of a Hugging Face folder, to run and to look at: weights stay in the mapped file, all sequences of a pass go
/// through a layer before the next is touched, and a layer's pages are given back after it. So memory is that of the stream (N, T, C) and of
/// the activations of a few sequences in one layer, on a GPU and the layer's weights. A call returns when the device is done with it. Include the kernels of the device beside this header.
template <class Policy, class Device>
class decoder {
    using S = typename Device::scalar;

public:
    using scalar = S;

    /// \throws error naming a tensor that is missing or of another shape
    decoder(std::shared_ptr<model_folder const> folder, decoder_description description)
        : folder_(std::move(folder)), d_(std::move(description)), final_norm_(*folder_, "", d_.final_norm, d_.norm, d_.width) {
        index_t const E = d_.embedding_width > 0 ? d_.embedding_width : d_.width;
        embedding_ = folder_->tensor(d_.embedding, {d_.vocabulary, E});
        if (!d_.positions.empty()) positions_ = folder_->tensor(d_.positions, {d_.longest + d_.position_offset, d_.width});
        if (!d_.embedding_norm.empty()) embedding_norm_ = stored_norm<Device>(*folder_, "", d_.embedding_norm, d_.norm, d_.width);
        if (!d_.project_in.empty()) project_in_ = stored_linear<Device>(*folder_, "", {d_.project_in}, E, d_.width);
        if (!d_.project_out.empty()) project_out_ = stored_linear<Device>(*folder_, "", {d_.project_out}, d_.width, E);
        auto const head = d_.head.empty() ? embedding_ : folder_->tensor(d_.head, {d_.vocabulary, E});
        head_ = stored_linear<Device>(head, false, d_.head_bias.empty() ? buffer<S>{} : values_of<S>(folder_->tensor(d_.head_bias, {d_.vocabulary})));
        for (index_t l = 0; l < d_.layers; ++l) layers_.emplace_back(*folder_, d_, l);
    }
    decoder(decoder const&) = delete;
    decoder& operator=(decoder const&) = delete;

    decoder_description const& description() const { return d_; }
    model_folder const& folder() const { return *folder_; }

    /// Shows `o` what it asks for, through to the logits. ids (N, T). \throws error for an id outside the vocabulary, or T too long
    template <observer Observer>
    void forward(view<std::int32_t const, 2> ids, Observer& o) {
        auto const [layers, head] = extent_asked(o);
        auto&& seen_by = attnlab::on_device<Device>(o);
        run(ids, seen_by, layers);
        if (head) after_blocks(ids, seen_by, nullptr);
    }

    /// Cross-entropy in nats of the target after each position, (N, T); 0 where it is -1. \throws as forward
    template <observer Observer>
    tensor<double, 2> losses(view<std::int32_t const, 2> ids, view<std::int32_t const, 2> targets, Observer& o) {
        require(targets.shape() == ids.shape(), "losses: expected targets of the inputs' shape");
        auto&& seen_by = attnlab::on_device<Device>(o);
        run(ids, seen_by, d_.layers);
        tensor<double, 2> out(ids.shape());
        std::vector<std::int32_t> some;
        tensor<double, 1> found;
        after_blocks(ids, seen_by, [&](index_t n, index_t t, view<S, 2> logits) {
            index_t const rows = logits.shape(0);
            some.assign(&targets(n, t), &targets(n, t) + rows);
            found.resize({rows});
            cross_entropy(Device{}, logits, some.data(), S(1), false, found.data());
            synchronize(Device{});
            std::copy_n(found.data(), rows, &out(n, t));
        });
        return out;
    }

    /// Matrices in which a NaN was met: a pass looks for them once something in the stream is no number.
    std::vector<std::string> const& with_nan() const { return with_nan_; }

private:
    /// As many sequences at a time as keep a layer's activations small beside the products' speed.
    index_t at_once(index_t N, index_t T) const { return std::clamp<index_t>(4096 / T, 1, N); }

    template <observer Observer>
    void tell_first(Observer& o, index_t n) const {
        if constexpr (requires { o.inner; }) tell_first(o.inner, n);   // observe/after_device.hpp
        else if constexpr (requires { o.first_sequence = n; }) o.first_sequence = n;
    }

    /// How many layers have to be run for what the observer asks, and whether what follows them.
    struct extent {
        index_t layers;
        bool head;
    };
    template <observer Observer>
    extent extent_asked(Observer const& o) const {
        if constexpr (detail::asks_at_run_time<Observer>) {
            if (!o.asks(site::ln_final::name, 0) && !o.asks(site::logits::name, 0)) {
                index_t l = d_.layers;
                while (l > 0 && !asks_in_layer(o, l - 1, typename Observer::every_site{})) --l;
                return {l, false};
            }
        }
        return {d_.layers, true};
    }
    template <class Observer, class... Sites>
    static bool asks_in_layer(Observer const& o, index_t layer, std::tuple<Sites...>) {
        return ((Sites::per_layer && o.asks(Sites::name, layer)) || ...);
    }

    template <observer Observer>
    void run(view<std::int32_t const, 2> ids, Observer& o, index_t layers) {
        index_t const N = ids.shape(0), T = ids.shape(1), C = d_.width, some = at_once(N, T);
        require_ids("token", ids.data(), ids.size(), 0, d_.vocabulary);
        require(T > 0 && (!d_.refuses_longer || T <= d_.longest), "sequences of ", T, " tokens: expected 1 to the ", d_.longest, " positions of this model");
        check_layers(o, d_.layers);
        stream_.resize({N, T, C});
        auto const part = [&](index_t n) { return view<S, 3>(stream_.data() + n * T * C, {std::min(some, N - n), T, C}); };
        for (index_t n = 0; n < N; n += some) {
            tell_first(o, n);
            embed(ids, n, part(n));
            watch(o, site::embed{}, 0, part(n));
        }
        synchronize(Device{});   // the host is about to write
        decoder_pass<S> const pass(d_, T);
        buffer<index_t> firsts;
        for (index_t l = 0; l < layers; ++l) {
            index_t const window = d_.window(l);
            firsts.clear();
            if (window > 0 && window < T)
                for (index_t i = 0; i < some * T; ++i) firsts.push_back(std::max<index_t>(0, i % T + 1 - window));
            auto& layer = layers_[static_cast<std::size_t>(l)];
            for (index_t n = 0; n < N; n += some) {
                tell_first(o, n);
                layer.forward(part(n), scratch_, pass, firsts.empty() ? nullptr : firsts.data(), o);
            }
            look_for_nan(l);
            synchronize(Device{});
            layer.release();
        }
    }

    void embed(view<std::int32_t const, 2> ids, index_t first, view<S, 3> x) {
        index_t const T = x.shape(1), C = d_.width, E = embedding_.shape[1];
        tensor<S, 2> narrow, table;
        std::vector<S> read;   // on the way to a GPU
        if (project_in_.out() > 0) narrow.resize({T, E});
        if (!d_.positions.empty()) {
            table.resize({T, C});
            read_values(Device{}, positions_, d_.position_offset * C, T * C, table.data());
        }
        for (index_t b = 0; b < x.shape(0); ++b) {
            view<S, 2> const to = project_in_.out() > 0 ? *narrow : x[b];
            if constexpr (is_cuda<Device>) read.resize(static_cast<std::size_t>(T * E));
            for (index_t t = 0; t < T; ++t) embedding_.read((is_cuda<Device> ? read.data() : to.data()) + t * E, ids(first + b, t) * E, E);
            if constexpr (is_cuda<Device>) take_from_host(Device{}, read.data(), flat(to));
            if (d_.embedding_scale != 1) multiply_by(Device{}, static_cast<S>(d_.embedding_scale), flat(to));
            if (project_in_.out() > 0) project_in_.forward(narrow, x[b]);
            if (!d_.positions.empty()) add(Device{}, flat(view<S const, 2>(table)), flat(x[b]));
        }
        auto const rows = x.reshaped(std::array{x.shape(0) * T, C});
        if (embedding_norm_) embedding_norm_.forward(rows, rows);
        embedding_.release();
    }

    /// The last norm, the projection that some have after it, and, where the observer asks for logits or `use` is something, the head. `use(n, t, logits)` has those of sequence n
    /// from position t on, some rows at a time: never a (N, T, V) array.
    template <observer Observer, class Use>
    void after_blocks(view<std::int32_t const, 2> ids, Observer& o, Use use) {
        constexpr bool used = !std::is_same_v<Use, std::nullptr_t>;
        bool const whole = asked(o, site::logits{}, 0);
        index_t const N = ids.shape(0), T = ids.shape(1), C = d_.width, V = d_.vocabulary, E = head_.in(), some = at_once(N, T);
        tensor<S, 3> narrow, logits;
        for (index_t n = 0; n < N; n += some) {
            index_t const B = std::min(some, N - n);
            view<S, 3> const x(stream_.data() + n * T * C, {B, T, C});
            tell_first(o, n);
            auto const rows = x.reshaped(std::array{B * T, C});
            if (final_norm_) final_norm_.forward(rows, rows);
            view<S, 3> last = x;   // what the head sees
            if (project_out_.out() > 0) {
                narrow.resize({B, T, E});
                last = narrow;
                project_out_.forward(rows, last.reshaped(std::array{B * T, E}));
            }
            watch(o, site::ln_final{}, 0, last);
            if (!whole && !used) continue;
            if (whole) logits.resize({B, T, V});
            index_t const slab = std::min(T, std::max<index_t>(64, (1 << 24) / V));
            for (index_t b = 0; b < B; ++b)
                for (index_t t = 0; t < T; t += slab) {
                    index_t const count = std::min(slab, T - t);
                    if (!whole) logits.resize({1, count, V});
                    view<S, 2> const y(whole ? &logits(b, t, 0) : logits.data(), {count, V});
                    head_.forward(view<S const, 2>(last[b].data() + t * E, {count, E}), y);
                    finish(y);
                    if constexpr (used) use(n + b, t, y);
                }
            if (whole) watch(o, site::logits{}, 0, logits);
        }
        synchronize(Device{});
        head_.release();
    }

    void finish(view<S, 2> logits) const {
        if (d_.logit_scale != 1) multiply_by(Device{}, static_cast<S>(d_.logit_scale), flat(logits));
        if (d_.logit_cap > 0) soft_cap_forward(Device{}, static_cast<S>(d_.logit_cap), flat(view<S const, 2>(logits)), flat(logits), static_cast<S*>(nullptr));
    }

    void look_for_nan(index_t layer) {
        if (!with_nan_.empty() || !stream_has_nan()) return;
        for (auto const& m : d_.matrices()) {
            auto const t = folder_->tensor(d_.prefix(layer) + m.name + ".weight");
            buffer<S> row(static_cast<std::size_t>(t.shape.back()));
            for (index_t i = 0; i < t.shape.front(); ++i) {
                t.read(row.data(), i * t.shape.back(), t.shape.back());
                if (std::any_of(row.begin(), row.end(), [](S x) { return std::isnan(x); })) {
                    with_nan_.push_back(t.name);
                    break;
                }
            }
        }
    }

    bool stream_has_nan() const {
        if constexpr (is_cuda<Device>) return std::isnan(sum_of_squares(Device{}, flat(view<S const, 3>(stream_))));
        else return std::any_of(stream_.data(), stream_.data() + stream_.size(), [](S x) { return std::isnan(x); });
    }

    std::shared_ptr<model_folder const> folder_;
    decoder_description d_;
    stored_tensor embedding_, positions_;
    stored_linear<Device> project_in_, project_out_, head_;
    stored_norm<Device> embedding_norm_, final_norm_;
    std::deque<decoder_layer<Policy, Device>> layers_;
    std::vector<std::string> with_nan_;

    tensor<S, 3> stream_;   // (N, T, C)
    typename decoder_layer<Policy, Device>::scratch scratch_;
};

}  // namespace attnlab
