#pragma once
#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <attnlab/layers/loss.hpp>
#include <attnlab/models/config.hpp>
#include <attnlab/models/trained/block.hpp>
#include <attnlab/models/trained/embedding.hpp>

namespace attnlab {

/// A decoder of a family, to be trained under any policy: the same descriptions as models/decoder, all weights in memory under
/// the names of the family's files, what a policy learns beside them. Include the kernels of the device beside this header.
template <class Device>
class trained_decoder {
    using S = typename Device::scalar;
    using block = trained_block<Device>;

public:
    using scalar = S;
    using device = Device;

    /// A call returns when the device is done with it.
    /// \param run  what a run chooses: block_size (T of length_rule::trained), products, recompute, length, separator, init_std;
    /// sizes are the description's The parameters are declared and wait for `parameters().allocate()`: sizes of a config.json are
    /// believed when files agree. \throws error, usage_error for what cannot be trained, or not under this policy
    trained_decoder(decoder_description description, decoder_policy<Device> policy, gpt_config const& run)
        : d_(checked(std::move(description), policy)),
          policy_(std::move(policy)),
          run_(run),
          embedding_(parameters_, d_, run.products),
          head_table_(declare_rest()),
          head_(head_table_, run.products, {d_.logit_scale, d_.logit_cap, head_bias_}) {
        if (run.products == precision::bfloat16 && !has_bfloat16(Device{}))
            fail<usage_error>("dtype: 'bfloat16': expected float32: ", Device::name,
                              " has no fast products of bfloat16 on this machine or in this build");
        if (run.products == precision::tfloat32 && !is_cuda<Device>) fail<usage_error>("dtype: 'tfloat32': expected float32 or bfloat16: only a GPU has it");
        for (auto const& b : blocks_)
            for (auto* p : b.learned())
                if (p) learned_.push_back(p);
    }
    trained_decoder(trained_decoder const&) = delete;
    trained_decoder& operator=(trained_decoder const&) = delete;

    decoder_description const& description() const { return d_; }
    parameter_list<S>& parameters() { return parameters_; }
    /// What the policy learns: those of the parameters that no file of the family has.
    std::vector<parameter<S>*> const& learned() const { return learned_; }

    /// Logits (B, T, V); they stay valid until the next call. \throws error for an id outside the vocabulary, or T too long
    template <observer Observer>
    view<S const, 3> logits(view<std::int32_t const, 2> ids, Observer& o) {
        auto&& seen_by = attnlab::on_device<Device>(o);
        auto const h = run(ids, seen_by, false);
        logits_.resize({ids.shape(0), ids.shape(1), d_.vocabulary});
        head_.logits(rows(h), rows(*logits_));
        watch(seen_by, site::logits{}, 0, logits_);
        synchronize(Device{});
        return logits_;
    }
    view<S const, 3> logits(view<std::int32_t const, 2> ids) {
        no_observer nobody;
        return logits(ids, nobody);
    }

    /// Mean cross-entropy in nats over targets that are not -1. \throws error when there are none
    template <observer Observer>
    double loss(view<std::int32_t const, 2> ids, view<std::int32_t const, 2> targets, Observer& o) {
        check_targets(ids, targets);
        auto&& seen_by = attnlab::on_device<Device>(o);
        return head_.loss(rows(run(ids, seen_by, false)), targets.data());
    }
    double loss(view<std::int32_t const, 2> ids, view<std::int32_t const, 2> targets) {
        no_observer nobody;
        return loss(ids, targets, nobody);
    }

    /// The same; adds scale * its gradient to the parameters' gradients. Tells `done`, where it is one, after each block: the way
    /// back fills the parameters from the last to the first.
    double loss_and_gradient(view<std::int32_t const, 2> ids, view<std::int32_t const, 2> targets, double scale = 1,
                             gradients_done const& done = {}) {
        check_targets(ids, targets);
        no_observer nobody;
        auto const h = run(ids, nobody, true);
        tensor<S, 3> dh(h.shape());
        double const value = head_.loss_and_gradient(rows(h), targets.data(), scale, dh.data());
        std::array<index_t, 3> const shape{ids.shape(0), ids.shape(1), d_.width};
        gradient_.resize(shape);
        zero(Device{}, flat(*gradient_));
        if (project_out_) {
            normed_gradient_.resize(shape);
            project_out_->backward(rows(view<S const, 3>(dh)), rows(view<S const, 3>(normed_)), normed_gradient_.data());
        }
        view<S const, 3> const d_normed = project_out_ ? view<S const, 3>(normed_gradient_) : view<S const, 3>(dh);
        if (final_norm_)
            final_norm_.backward(rows(d_normed), rows(view<S const, 3>(stream_.back())), final_saved_, rows(*gradient_));
        else
            copy(Device{}, flat(d_normed), flat(*gradient_));
        for (index_t l = d_.layers; l-- > 0;) {
            auto& kept = saved_[run_.recompute ? 0 : static_cast<std::size_t>(l)];
            auto& x = stream_[static_cast<std::size_t>(l)];
            // The last block's activations are still there; the others are made again.
            if (run_.recompute && l + 1 < d_.layers)
                blocks_[static_cast<std::size_t>(l)].forward(x, stream_[static_cast<std::size_t>(l) + 1], kept, pass_, context(l),
                                                             workspace_, nobody);
            blocks_[static_cast<std::size_t>(l)].backward(x, kept, pass_, context(l), gradient_, workspace_);
            if (done) synchronize(Device{}), done(first_of_block_[static_cast<std::size_t>(l)]);
        }
        embedding_.backward(ids, gradient_);
        synchronize(Device{});
        return value;
    }

private:
    static decoder_description checked(decoder_description d, decoder_policy<Device> const& policy) {
        require(d.mixture.experts == 0, d.family,
                ": a mixture of experts: expected a family without, to be trained (analyses run mixtures too)");
        require(d.sinks.empty(), d.family, ": has sinks of its own: expected a family without, to be trained");
        require(policy.form == form_of(d), d.family, ": expected a policy compiled for what this family does to scores");
        if (policy.keys_have_heads && d.kv_heads != d.heads)
            fail<usage_error>("policy: changes keys or values by numbers of each of the ", d.heads,
                              " query heads: expected a model with as many heads of keys, got ", d.kv_heads);
        return d;
    }

    /// Declares what follows the embedding, in the order of a pass; the table that the head multiplies with.
    parameter<S>* declare_rest() {
        index_t const E = embedding_.table()->shape[1];
        for (index_t l = 0; l < d_.layers; ++l) {
            first_of_block_.push_back(parameters_.items().size());
            blocks_.emplace_back(parameters_, d_, l, policy_, run_.init_std, run_.products);
        }
        final_norm_ = trained_norm<Device>(parameters_, "", d_.final_norm, d_.norm, d_.width);
        if (!d_.project_out.empty())
            project_out_ = std::make_unique<linear<Device>>(parameters_, d_.project_out, d_.width, E, false, 0.0, run_.products);
        if (!d_.head_bias.empty()) head_bias_ = parameters_.add(d_.head_bias, {d_.vocabulary}, zeros);
        return d_.head.empty() ? embedding_.table() : parameters_.add(d_.head, {d_.vocabulary, E}, zeros);
    }

    void check_targets(view<std::int32_t const, 2> ids, view<std::int32_t const, 2> targets) const {
        require(ids.shape() == targets.shape(), "loss: expected targets of the inputs' shape");
        require(std::any_of(targets.begin(), targets.end(), [](std::int32_t t) { return t != -1; }),
                "loss: expected at least one target that is not -1");
    }

    /// The stream through all blocks, the last norm and the projection after it. Without `keep` (or when recomputing) all blocks
    /// share one set of activations. Gives back what the head sees.
    template <observer Observer>
    view<S const, 3> run(view<std::int32_t const, 2> ids, Observer& o, bool keep) {
        index_t const B = ids.shape(0), T = ids.shape(1);
        require(T > 0 && (!d_.refuses_longer || T <= d_.longest), "sequences of ", T, " tokens: expected 1 to the ", d_.longest,
                " positions of this model");
        check_layers(o, d_.layers);
        if (pass_.T != T) pass_ = decoder_pass<S>(d_, T);
        find_firsts(ids);
        std::array<index_t, 3> const shape{B, T, d_.width};
        auto const L = static_cast<std::size_t>(d_.layers);
        saved_.resize(std::max(saved_.size(), keep && !run_.recompute ? L : 1));
        stream_.resize(L + 1);
        for (auto& x : stream_) x.resize(shape);
        normed_.resize(shape);
        embedding_.forward(ids, stream_[0]);
        watch(o, site::embed{}, 0, stream_[0]);
        for (std::size_t l = 0; l < L; ++l)
            blocks_[l].forward(stream_[l], stream_[l + 1], saved_[keep && !run_.recompute ? l : 0], pass_,
                               context(static_cast<index_t>(l)), workspace_, o);
        if (final_norm_)
            final_norm_.forward(rows(view<S const, 3>(stream_.back())), rows(*normed_), final_saved_);
        else
            copy(Device{}, flat(view<S const, 3>(stream_.back())), flat(*normed_));
        if (!project_out_) {
            watch(o, site::ln_final{}, 0, normed_);
            return normed_;
        }
        projected_.resize({B, T, head_table_->shape[1]});
        project_out_->forward(rows(view<S const, 3>(normed_)), rows(*projected_));
        watch(o, site::ln_final{}, 0, projected_);
        return projected_;
    }

    /// Where the keys of each query begin: with its document, and with the window of a layer that has one.
    void find_firsts(view<std::int32_t const, 2> ids) {
        firsts_.clear();
        index_t const T = ids.shape(1);
        bool const documents = policy_.reads_documents;
        for (index_t l = 0; l < d_.layers; ++l) {
            index_t const window = d_.window(l) < T ? d_.window(l) : 0;
            if (!firsts_.contains(window) && (window > 0 || documents)) {
                auto& out = firsts_[window];
                out.resize(static_cast<std::size_t>(ids.size()));
                for (index_t b = 0; b < ids.shape(0); ++b)
                    for (index_t t = 0, document = 0; t < T; ++t) {
                        if (documents && ids(b, t) == run_.separator) document = t;
                        out[static_cast<std::size_t>(b * T + t)] = std::max(document, window > 0 ? t + 1 - window : 0);
                    }
            }
        }
    }
    attention_context context(index_t layer) const {
        auto const at = firsts_.find(d_.window(layer) < pass_.T ? d_.window(layer) : 0);
        return {run_.length, run_.block_size, at == firsts_.end() ? nullptr : at->second.data(), run_.products};
    }


    decoder_description d_;
    decoder_policy<Device> policy_;
    gpt_config run_;
    parameter_list<S> parameters_;
    trained_embedding<Device> embedding_;
    // What `declare_rest` fills in.
    std::vector<std::size_t> first_of_block_;  // the number of its first parameter
    std::deque<block> blocks_;
    trained_norm<Device> final_norm_;
    std::unique_ptr<linear<Device>> project_out_;
    parameter<S>* head_bias_ = nullptr;
    parameter<S>* head_table_;
    loss_head<Device> head_;
    std::vector<parameter<S>*> learned_;

    decoder_pass<S> pass_;
    std::map<index_t, buffer<index_t>> firsts_;  // by window, (B, T); 0: without
    // Activations. They grow to the largest batch seen and stay.
    std::vector<tensor<S, 3>> stream_;  // (B, T, C): entering each block, and leaving the last
    std::vector<typename block::saved> saved_;
    typename block::workspace workspace_;
    typename trained_norm<Device>::saved final_saved_;
    tensor<S, 3> normed_, projected_, logits_, normed_gradient_, gradient_;
};

}  // namespace attnlab
