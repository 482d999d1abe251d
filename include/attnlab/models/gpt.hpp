#pragma once
#include <algorithm>
#include <cmath>
#include <deque>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <attnlab/layers/block.hpp>
#include <attnlab/layers/embedding.hpp>
#include <attnlab/layers/loss.hpp>
#include <attnlab/models/config.hpp>
#include <attnlab/observe/after_device.hpp>

namespace attnlab {

/// GPT-2 as in nanoGPT, its attention a policy: embedding -> L blocks -> norm -> head. Parameters bear nanoGPT's names. A call returns when the
/// device is done with it. Include the kernels of the device beside this header (<attnlab/kernels/cpu/kernels.hpp> or ref).
template <class Policy, class Device>
class gpt {
    static_assert(requires { Policy::parameter_count; }, "gpt<Policy, Device>: expected an attention<...>, as attention<causal, softmax>");
    static_assert(requires { has_bfloat16(Device{}); },
                  "gpt<Policy, Device>: the kernels of this device are missing: #include <attnlab/kernels/cpu/kernels.hpp>, or kernels/ref");

public:
    using scalar = typename Device::scalar;
    using policy = Policy;
    using device = Device;

    /// \throws usage_error for sizes that do not fit
    explicit gpt(gpt_config const& c)
        : config_(checked(c)), embedding_(parameters_, "transformer.", c.vocab_size, c.block_size, c.n_embd, embedding_std(c)),
          norm_(declare_blocks(c), "transformer.ln_f", c.n_embd, c.bias, c.layer_norm_eps),
          head_(c.tied ? embedding_.table() : parameters_.add("lm_head.weight", {c.vocab_size, c.n_embd}, normal(c.init_std)), c.products) {
        parameters_.allocate();
    }
    gpt(gpt const&) = delete;
    gpt& operator=(gpt const&) = delete;

    parameter_list<scalar>& parameters() { return parameters_; }
    gpt_config const& config() const { return config_; }
    /// Which T the policy's formula means from now on.
    void set_length_rule(length_rule rule) { config_.length = rule; }

    /// Logits (B, T, V); they stay valid until the next call.
    template <observer Observer>
    view<scalar const, 3> logits(view<std::int32_t const, 2> ids, Observer& o) {
        check_sites<Observer, site::all>();
        auto&& seen_by = attnlab::on_device<Device>(o);
        run(ids, seen_by, false);
        logits_.resize({ids.shape(0), ids.shape(1), config_.vocab_size});
        head_.logits(normed_, rows(*logits_));
        watch(seen_by, site::logits{}, 0, logits_);
        synchronize(Device{});
        return logits_;
    }
    view<scalar const, 3> logits(view<std::int32_t const, 2> ids) {
        no_observer nobody;
        return logits(ids, nobody);
    }

    /// Mean cross-entropy in nats over targets that are not -1. \throws error when there are none
    template <observer Observer>
    double loss(view<std::int32_t const, 2> ids, view<std::int32_t const, 2> targets, Observer& o) {
        check_sites<Observer, site::in_loss>();
        check_targets(ids, targets);
        auto&& seen_by = attnlab::on_device<Device>(o);
        run(ids, seen_by, false);
        return head_.loss(normed_, targets.data());
    }
    double loss(view<std::int32_t const, 2> ids, view<std::int32_t const, 2> targets) {
        no_observer nobody;
        return loss(ids, targets, nobody);
    }

    /// The same; adds scale * its gradient to the parameters' gradients.
    double loss_and_gradient(view<std::int32_t const, 2> ids, view<std::int32_t const, 2> targets, double scale = 1) {
        no_observer nobody;
        return loss_and_gradient(ids, targets, scale, nobody);
    }
    /// The same, and tells `done`, where it is one, after each block: the way back fills the parameters from the last to the first.
    double loss_and_gradient(view<std::int32_t const, 2> ids, view<std::int32_t const, 2> targets, double scale, gradients_done const& done) {
        after_each_block told{first_of_block_, done};
        return loss_and_gradient(ids, targets, scale, told);
    }
    template <observer Observer>
    double loss_and_gradient(view<std::int32_t const, 2> ids, view<std::int32_t const, 2> targets, Observer& o) {
        return loss_and_gradient(ids, targets, 1, o);
    }
    /// The observer sees the pass forward and the gradients on the way back; it may change nothing.
    template <observer Observer>
    double loss_and_gradient(view<std::int32_t const, 2> ids, view<std::int32_t const, 2> targets, double scale, Observer& o) {
        check_sites<Observer, site::in_training>();
        static_assert(std::is_same_v<alters_of<Observer>, site_list<>>,
                      "loss_and_gradient: an observer that alters has no gradient: expected loss()");
        check_targets(ids, targets);
        no_observer nobody;
        auto&& seen_by = attnlab::on_device<Device>(o);
        run(ids, seen_by, true);
        stream_gradient_.resize(stream_.back().shape());
        zero(Device{}, view<scalar, 1>(stream_gradient_.data(), {stream_gradient_.size()}));
        normed_gradient_.resize(stream_.back().shape());
        head_.begin_loss(normed_, targets.data(), scale, normed_gradient_.data());
        watch(seen_by, site::gradient<site::ln_final>{}, 0, std::as_const(normed_gradient_));
        stream_gradient<Device> d{stream_gradient_, {}};
        if (factor<Device>::rounds(config_.products)) {
            rounded_gradient_.resize(rows(d.whole).shape());
            d.rounded = rounded_gradient_;
        }
        norm_.backward(rows(view<scalar const, 3>(normed_gradient_)), rows(view<scalar const, 3>(stream_.back())), norm_saved_, d,
                       blocks_.back().last_bias_gradient());
        for (index_t l = config_.n_layer; l-- > 0;) {
            auto& kept = saved_[config_.recompute ? 0 : static_cast<std::size_t>(l)];
            auto& x = stream_[static_cast<std::size_t>(l)];
            // The last block's activations are still there; the others are made again.
            if (config_.recompute && l + 1 < config_.n_layer)
                blocks_[static_cast<std::size_t>(l)].forward(x, stream_[static_cast<std::size_t>(l) + 1], kept, context(), nobody, l);
            scalar* const next = l > 0 ? blocks_[static_cast<std::size_t>(l) - 1].last_bias_gradient() : nullptr;
            blocks_[static_cast<std::size_t>(l)].backward(x, kept, context(), d, next, workspace_, seen_by, l);
        }
        watch(seen_by, site::gradient<site::embed>{}, 0, std::as_const(stream_gradient_));
        embedding_.backward(ids, stream_gradient_);
        return head_.mean_loss();
    }

private:
    static gpt_config const& checked(gpt_config const& c) {
        c.check();
        if (c.products == precision::bfloat16 && !has_bfloat16(Device{}))
            fail<usage_error>("dtype: 'bfloat16': expected float32: ", Device::name, " has no fast products of bfloat16 on this machine or in this build");
        if (c.products == precision::tfloat32 && !is_cuda<Device>) fail<usage_error>("dtype: 'tfloat32': expected float32 or bfloat16: only a GPU has it");
        return c;
    }
    static double embedding_std(gpt_config const& c) { return c.embedding_std > 0 ? c.embedding_std : c.init_std; }

    parameter_list<scalar>& declare_blocks(gpt_config const& c) {
        typename block<Policy, Device>::settings const s{c.n_embd, c.n_head, c.kv_heads(), c.bias, c.gelu, c.layer_norm_eps, c.init_std,
                                                         c.init_std / std::sqrt(2.0 * static_cast<double>(c.n_layer)), c.products};
        for (index_t l = 0; l < c.n_layer; ++l) {
            first_of_block_.push_back(parameters_.items().size());
            blocks_.emplace_back(parameters_, "transformer.h." + std::to_string(l), s);
        }
        return parameters_;
    }

    void check_targets(view<std::int32_t const, 2> ids, view<std::int32_t const, 2> targets) const {
        require(ids.shape() == targets.shape(), "loss: expected targets of the inputs' shape");
        require(std::any_of(targets.begin(), targets.end(), [](std::int32_t t) { return t != -1; }),
                "loss: expected at least one target that is not -1");
    }

    /// The stream through all blocks and the last norm. Without `keep` (or when recomputing) all blocks share one set of activations.
    template <observer Observer>
    void run(view<std::int32_t const, 2> ids, Observer& o, bool keep) {
        check_layers(o, config_.n_layer);
        std::array<index_t, 3> const shape{ids.shape(0), ids.shape(1), config_.n_embd};
        auto const L = static_cast<std::size_t>(config_.n_layer);
        saved_.resize(std::max(saved_.size(), keep && !config_.recompute ? L : 1));
        stream_.resize(L + 1);
        for (auto& x : stream_) x.resize(shape);
        normed_.resize({shape[0] * shape[1], shape[2]}, config_.products);
        find_documents(ids);
        embedding_.forward(ids, stream_[0]);
        watch(o, site::embed{}, 0, stream_[0]);
        for (std::size_t l = 0; l < L; ++l)
            blocks_[l].forward(stream_[l], stream_[l + 1], saved_[keep && !config_.recompute ? l : 0], context(), o, static_cast<index_t>(l));
        norm_.forward(rows(view<scalar const, 3>(stream_.back())), normed_, norm_saved_);
        watch(o, site::ln_final{}, 0, normed_, {shape[0], shape[1]});
    }

    attention_context context() const {
        return {config_.length, config_.block_size, reads_documents<typename Policy::mask> ? documents_.data() : nullptr, config_.products};
    }
    /// Where the document of each token begins: at the last separator up to it.
    void find_documents(view<std::int32_t const, 2> ids) {
        if constexpr (reads_documents<typename Policy::mask>) {
            documents_.resize(ids.shape());
            for (index_t b = 0; b < ids.shape(0); ++b)
                for (index_t t = 0, first = 0; t < ids.shape(1); ++t) documents_(b, t) = first = ids(b, t) == config_.separator ? t : first;
        }
    }

    /// The gradient by a block's input is the last thing that its way back computes.
    struct after_each_block {
        using sites = site_list<site::gradient<site::resid_pre>>;
        static constexpr bool reads_nothing = true;
        std::vector<std::size_t> const& first_of_block;
        gradients_done const& done;
        void operator()(site::gradient<site::resid_pre>, index_t layer, view<scalar const, 3>) const {
            if (done) done(first_of_block[static_cast<std::size_t>(layer)]);
        }
    };

    gpt_config config_;
    parameter_list<scalar> parameters_;
    std::vector<std::size_t> first_of_block_;   // the number of its first parameter
    embedding<Device> embedding_;
    std::deque<block<Policy, Device>> blocks_;
    layer_norm<Device> norm_;
    loss_head<Device> head_;

    tensor<index_t, 2> documents_;              // (B, T)
    // Activations. They grow to the largest batch seen and stay.
    std::vector<tensor<scalar, 3>> stream_;   // (B, T, C): entering each block, and leaving the last
    std::vector<typename block<Policy, Device>::saved> saved_;
    typename layer_norm<Device>::saved norm_saved_;
    factor<Device> normed_;                   // (B T, C)
    tensor<scalar, 3> logits_, normed_gradient_, stream_gradient_;
    tensor<bfloat16, 2> rounded_gradient_;    // (B T, C)
    typename block<Policy, Device>::workspace workspace_;
};

}  // namespace attnlab
