#pragma once
#include <array>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/core/buffer.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/core/parameter.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/data/batches.hpp>
#include <attnlab/io/file.hpp>
#include <attnlab/train/batch_share.hpp>
#include <attnlab/train/checkpoint.hpp>
#include <attnlab/train/gradient_buckets.hpp>
#include <attnlab/train/interrupt.hpp>
#include <attnlab/train/observe.hpp>
#include <attnlab/train/optimizer.hpp>
#include <attnlab/train/ranks.hpp>
#include <attnlab/train/schedule.hpp>

/// \file
/// The training loop of nanoGPT, over anything that has parameters, a loss and its gradient; in one process, or in several that take their
/// share of each step (`train_among`).

namespace attnlab {

/// What the loop asks of a model. x and y are (B,T) tokens and targets; losses are mean nats per target.
/// `loss_and_gradient` adds `scale` times the gradient of the mean loss to the parameters' gradients.
template <class Model>
concept trainable = requires(Model& model, view<token const, 2> x, view<token const, 2> y, double scale) {
    typename Model::scalar;
    { model.parameters() } -> std::same_as<parameter_list<typename Model::scalar>&>;
    { model.loss_and_gradient(x, y, scale) } -> std::same_as<double>;
    { model.loss(x, y) } -> std::same_as<double>;
};

/// nanoGPT's names and defaults.
struct train_settings {
    std::int64_t max_iters = 600000;
    std::int64_t eval_interval = 2000;   ///< evaluations are before step 0, every so many steps, and after the last
    std::int64_t eval_iters = 200;       ///< batches an evaluation takes of each split; 0: only the hook evaluates
    std::int64_t log_interval = 1;       ///< every so many steps `step_record::log` is set
    bool eval_only = false;              ///< one evaluation, no step, nothing saved
    bool always_save_checkpoint = true;  ///< at every evaluation, not only when the validation loss is the best so far
    std::int64_t gradient_accumulation_steps = 40;  ///< of all ranks together
    index_t batch_size = 12;    ///< B of a micro-batch
    index_t block_size = 1024;  ///< T
    double grad_clip = 1.0;   ///< largest norm of the gradient; 0: no clipping
    schedule_settings schedule = {};
    optimizer_settings optimizer = {};
    std::filesystem::path checkpoint = {};  ///< the .safetensors file; empty: nothing is saved
};

/// Where a run that keeps its best model alone saves the state in which it was interrupted: the best is not replaced by one that
/// happened to be last.
inline std::filesystem::path interrupted_checkpoint(std::filesystem::path checkpoint) {
    return checkpoint.replace_extension(".interrupted.safetensors");
}

/// \throws usage_error that names the field
inline void validate(train_settings const& s) {
    auto const least = [](char const* field, auto value, int low) {
        if (!(value >= low)) fail<usage_error>(field, ": '", value, "': expected ", low, " or more");
    };
    least("max_iters", s.max_iters, 0);
    least("eval_interval", s.eval_interval, 1);
    least("eval_iters", s.eval_iters, 0);
    least("log_interval", s.log_interval, 1);
    least("gradient_accumulation_steps", s.gradient_accumulation_steps, 1);
    least("batch_size", s.batch_size, 1);
    least("block_size", s.block_size, 1);
    least("grad_clip", s.grad_clip, 0);
    validate(s.schedule);
}

/// Mean nats per target on either split; NaN where nothing was estimated.
struct loss_estimate {
    double train = std::numeric_limits<double>::quiet_NaN();
    double validation = std::numeric_limits<double>::quiet_NaN();
};

/// The model's losses on `eval_iters` fixed batches of either split; those of training data have numbers training never reaches. The ranks
/// share the batches.
template <trainable Model, batch_source Source>
loss_estimate estimate_loss(Model& model, Source const& source, std::int64_t eval_iters, index_t batch_size, index_t block_size,
                            ranks& all = nobody_else) {
    constexpr std::uint64_t beyond_training = std::uint64_t{1} << 40;
    tensor<token, 2> x({batch_size, block_size}), y({batch_size, block_size});
    std::array<double, 2> sum{};
    for (std::int64_t n = all.rank(); n < eval_iters; n += all.size()) {
        auto const i = static_cast<std::uint64_t>(n);
        source.batch(beyond_training + i, x, y);
        sum[0] += model.loss(*x, *y);
        source.evaluation(i, x, y);
        sum[1] += model.loss(*x, *y);
    }
    all.sum(sum);
    auto const n = static_cast<double>(eval_iters);
    return {sum[0] / n, sum[1] / n};  // no batches: 0/0, NaN
}

/// One step as it was taken.
struct step_record {
    std::int64_t iteration;  ///< from 0
    double loss;             ///< mean over the micro-batches, before the step; nats
    double gradient_norm;    ///< before the clip
    double rate;
    bool log;  ///< iteration is a multiple of log_interval
};

/// What a caller wants to be told.
template <class Model>
struct train_hooks {
    std::function<void(std::int64_t iteration, Model&, loss_estimate)> on_evaluate = {};
    std::function<void(step_record const&)> on_step = {};
    std::string_view on_signal = {};   ///< what is written to standard error when a signal has asked for the end
};

/// A run: a model, its optimizer, and where they stand. The model must outlive it.
template <trainable Model>
class trainer {
public:
    using scalar = typename Model::scalar;

    /// \param config JSON text kept in checkpoints, for whoever builds the model again
    /// \throws usage_error naming the setting
    trainer(Model& model, train_settings settings, std::string config = "{}")
        : model_(&model), settings_(std::move(settings)), optimizer_(model.parameters(), settings_.optimizer, operations_of(model)) {
        validate(settings_);
        state_.config = std::move(config);
    }

    /// Trains with other processes, each of which takes its share of every step: the gradients are summed, so that all move alike, and rank 0
    /// alone calls hooks, looks and writes; what it resumed or was given, all begin with. `all` must outlive the run.
    /// \param bucket_bytes  gradients whose sum begins together, while the backward goes on
    /// \throws usage_error where a step can not be shared so
    void train_among(ranks& all, std::size_t bucket_bytes = usual_bucket_bytes) {
        batch_share(settings_.gradient_accumulation_steps, settings_.batch_size, all.rank(), all.size());
        ranks_ = &all;
        bucket_bytes_ = bucket_bytes;
    }

    /// Takes up the run of a checkpoint; `run` then gives, bit for bit, what one run would have given. The evaluation of the step
    /// it stopped at is repeated. \throws error when the checkpoint is not of this model and optimizer
    void resume(std::filesystem::path const& checkpoint) {
        auto config = std::move(state_.config);
        state_ = load_checkpoint(checkpoint, model_->parameters(), optimizer_);
        state_.config = std::move(config);
        state_.written_by = version;
        saved_at_ = state_.iteration;
    }

    /// Before step 0, every `interval` steps and after the last, `look(model, row)` says numbers by name, `row(metric, value, layer, head)`,
    /// and all of them are appended to the streams, which must outlive the run: a crash loses the step it comes in, at most. A run that
    /// resumes goes on where its checkpoint stands. A `probe` is such a look. Training gives the same bits as without.
    /// \param to  a stream, or several in a std::deque \throws usage_error for an interval below 1
    template <class Look, class Streams>
    void observe_every(std::int64_t interval, Look look, Streams& to) {
        if constexpr (std::same_as<Streams, observation_stream>) {
            observers_.add(interval, std::move(look), {&to});
        } else {
            std::vector<observation_stream*> all;
            for (observation_stream& s : to) all.push_back(&s);
            observers_.add(interval, std::move(look), std::move(all));
        }
    }

    /// Trains up to max_iters.
    /// \throws error when a loss or gradient is not finite: the checkpoint stays as it was
    /// \throws interrupted after SIGINT, SIGTERM or SIGUSR1, on whatever rank: the step was finished and the state saved
    template <batch_source Source>
    void run(Source const& source, train_hooks<Model> const& hooks = {}) {
        ranks_->first_alone([&] {
            if (settings_.eval_only) return;
            if (auto const folder = settings_.checkpoint.parent_path(); !folder.empty()) make_folder(folder);
            observers_.begin(state_.iteration);
        });
        signal_watch const signals(is_first() ? hooks.on_signal : std::string_view{});
        begin_alike();
        for (;;) {
            stop_if_asked(signals);
            bool const last = state_.iteration >= settings_.max_iters || settings_.eval_only;
            if (!settings_.eval_only && observers_.look_at(state_.iteration, last))
                ranks_->first_alone([&] { observers_.see(state_.iteration, last, *model_); });
            if (last || state_.iteration % settings_.eval_interval == 0) evaluate(source, hooks);
            if (last) return;
            stop_if_asked(signals);
            step(source, hooks);
        }
    }

    training_state const& state() const { return state_; }
    attnlab::optimizer<scalar>& optimizer() { return optimizer_; }

private:
    bool is_first() const { return ranks_->rank() == 0; }

    /// What rank 0 was given or has resumed from, for all.
    void begin_alike() {
        if (ranks_->size() == 1) return;
        broadcast(*ranks_, model_->parameters().values());
        for (auto const& a : optimizer_.state()) broadcast(*ranks_, a.values);
        std::array numbers{state_.iteration, state_.tokens_seen, optimizer_.steps(), saved_at_};
        broadcast(*ranks_, std::span<std::int64_t>(numbers));
        broadcast(*ranks_, std::span<double>(&state_.best_val_loss, 1));
        state_.iteration = numbers[0], state_.tokens_seen = numbers[1], saved_at_ = numbers[3];
        optimizer_.set_steps(numbers[2]);
        tell_where();
    }

    template <class Source>
    void step(Source const& source, train_hooks<Model> const& hooks) {
        auto const it = state_.iteration, micro_batches = settings_.gradient_accumulation_steps;
        double const rate = learning_rate(settings_.schedule, it), scale = 1 / static_cast<double>(micro_batches);
        tensor<token, 2> x({settings_.batch_size, settings_.block_size}), y(x.shape());
        auto& parameters = model_->parameters();
        auto const& on = operations_of(*model_);
        on.zero(parameters.gradients());
        double loss = 0;
        batch_share const share(micro_batches, settings_.batch_size, ranks_->rank(), ranks_->size());
        gradient_buckets<scalar> sums(parameters, *ranks_, bucket_bytes_, on.synchronize);
        for (std::int64_t n = 0; n < share.count(); ++n) {
            auto const piece = share[n];
            source.batch(static_cast<std::uint64_t>(it * micro_batches + piece.micro_batch), x, y);
            auto const some_x = rows_of<token const>(x, piece), some_y = rows_of<token const>(y, piece);
            double const weight = share.cuts() ? scale * share_of_targets(some_y, *y) : scale;
            if (weight == 0) continue;  // rows without a target
            gradients_done done;
            if (ranks_->size() > 1 && n + 1 == share.count()) done = [&](std::size_t first) { sums.done(first); };
            loss += weight * loss_and_gradient(*model_, some_x, some_y, weight, done);
        }
        sums.finish();
        ranks_->sum({&loss, 1});
        expect_finite(loss, "loss");
        double const norm = on.gradient_norm(parameters);
        expect_finite(norm, "norm of the gradient");
        optimizer_.step(rate, clip_factor(norm, settings_.grad_clip));
        ++state_.iteration;
        state_.tokens_seen += micro_batches * x.size();
        bool const log = it % settings_.log_interval == 0;
        auto& sums_of_steps = state_.since_evaluation;
        if (it % settings_.eval_interval == 0) sums_of_steps = {};   // here, and not in the evaluation, which a resumed run repeats
        if (log) ++sums_of_steps.steps, sums_of_steps.loss += loss, sums_of_steps.gradient_norm += norm;
        tell_where();
        if (is_first() && hooks.on_step) hooks.on_step({it, loss, norm, rate, log});
    }

    template <class Source>
    void evaluate(Source const& source, train_hooks<Model> const& hooks) {
        loss_estimate losses;
        if (settings_.eval_iters > 0) {
            losses = estimate_loss(*model_, source, settings_.eval_iters, settings_.batch_size, settings_.block_size, *ranks_);
            expect_finite(losses.train, "estimated training loss");
            expect_finite(losses.validation, "validation loss");
        }
        bool const better = !settings_.eval_only && losses.validation < state_.best_val_loss;
        bool const wanted = !settings_.eval_only && (better || settings_.always_save_checkpoint || settings_.eval_iters == 0);
        if (better) state_.best_val_loss = losses.validation;
        ranks_->first_alone([&] {
            if (hooks.on_evaluate) hooks.on_evaluate(state_.iteration, *model_, losses);
            if (wanted && state_.iteration > 0 && !settings_.checkpoint.empty()) save(settings_.checkpoint);
        });
        if (wanted) saved_at_ = state_.iteration;
        tell_where();
    }

    /// Whether a signal came to any rank, they all learn at the same step.
    void stop_if_asked(signal_watch const& signals) {
        std::array<char const*, 3> constexpr names{"SIGINT", "SIGTERM", "SIGUSR1"};
        std::array<double, 3> caught{};
        for (std::size_t i = 0; i < names.size(); ++i) caught[i] = signals.caught() && std::string_view(signals.caught()) == names[i];
        ranks_->sum(caught);
        for (std::size_t i = 0; i < names.size(); ++i)
            if (caught[i] > 0) stop(names[i]);
    }

    /// For the case that a rank is lost.
    void tell_where() {
        if (ranks_->size() == 1) return;
        auto where = text("after ", state_.iteration, " of ", settings_.max_iters, " steps; ");
        ranks_->if_lost(where + (saved_at_ > 0 && !settings_.checkpoint.empty()
                                     ? text("to go on from step ", saved_at_, ", resume from ", settings_.checkpoint.string())
                                     : "no checkpoint was written yet"));
    }

    void expect_finite(double value, char const* what) const {
        require(std::isfinite(value), "train: step ", state_.iteration, ": the ", what, " is ", value,
                ": expected a finite number; a lower learning_rate or grad_clip may help");
    }

    [[noreturn]] void stop(char const* signal) {
        auto const where = text("stopped by ", signal, " after ", state_.iteration, " of ", settings_.max_iters, " steps; ");
        if (settings_.checkpoint.empty()) fail<interrupted>(where, "no checkpoint was asked for, nothing is saved");
        auto const path = settings_.always_save_checkpoint ? settings_.checkpoint : interrupted_checkpoint(settings_.checkpoint);
        ranks_->first_alone([&] { save(path); });
        fail<interrupted>(where, "saved in ", path.string());
    }

    void save(std::filesystem::path const& path) { save_checkpoint(path, model_->parameters(), optimizer_, state_); }

    Model* model_;
    train_settings settings_;
    attnlab::optimizer<scalar> optimizer_;
    training_state state_;
    training_observers<Model> observers_;
    ranks* ranks_ = &nobody_else;
    std::size_t bucket_bytes_ = usual_bucket_bytes;
    std::int64_t saved_at_ = 0;  // step of the last checkpoint; 0: none
};

}  // namespace attnlab
