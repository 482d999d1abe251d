#pragma once
#include <algorithm>
#include <concepts>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/core/rng.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/data/backcopy.hpp>
#include <attnlab/data/tokens.hpp>

/// \file
/// Where training takes its batches from. A batch is a function of its number: a run that resumes at step i needs no state, and
/// two policies see the same data in the same order.

namespace attnlab {

/// Fills inputs x and targets y, both (B,T): `batch(i, x, y)` with the i-th training batch, `evaluation(i, x, y)` with the i-th
/// batch of data held out, the same for every seed. Targets may hold -1: no loss is taken there.
template <class Source>
concept batch_source = requires(Source const& source, std::uint64_t i, view<token, 2> x, view<token, 2> y) {
    { source.batch(i, x, y) } -> std::same_as<void>;
    { source.evaluation(i, x, y) } -> std::same_as<void>;
};

/// \throws error unless x and y are both (B,`length`)
inline void require_batch_shape(view<token, 2> x, view<token, 2> y, index_t length) {
    require(x.shape(1) == length && y.shape() == x.shape(), "batch: expected inputs and targets of one shape (B,", length,
            "), got (", x.shape(0), ",", x.shape(1), ") and (", y.shape(0), ",", y.shape(1), ")");
}

/// Sequences of Bigram-Backcopy: training batch i is sequences i B to i B + B - 1 of the seed's stream, so none comes twice;
/// evaluation batch i is the same of the evaluation stream, which has no seed.
class backcopy_batches {
public:
    explicit backcopy_batches(backcopy task, std::uint64_t seed = 1)
        : task_(std::move(task)), training_(backcopy::training_stream(seed)) {}

    backcopy const& task() const { return task_; }

    void batch(std::uint64_t i, view<token, 2> x, view<token, 2> y) const { sequences(training_, i * rows(x), x, y); }
    void evaluation(std::uint64_t i, view<token, 2> x, view<token, 2> y) const {
        sequences(backcopy::evaluation_stream(), i * rows(x), x, y);
    }

    /// Sequences first to first + B - 1 of any stream. \throws error unless x and y are (B,T) with the task's T
    void sequences(rng::key stream, std::uint64_t first, view<token, 2> x, view<token, 2> y) const {
        index_t const T = task_.settings().length;
        require_batch_shape(x, y, T);
        std::vector<token> tokens(static_cast<std::size_t>(T + 1));
        for (index_t b = 0; b < x.shape(0); ++b) {
            task_.sequence(stream, first + static_cast<std::uint64_t>(b), tokens);
            std::copy_n(tokens.begin(), T, x[b].begin());
            std::copy_n(tokens.begin() + 1, T, y[b].begin());
        }
    }

private:
    static std::uint64_t rows(view<token, 2> x) { return static_cast<std::uint64_t>(x.shape(0)); }

    backcopy task_;
    rng::key training_;
};

struct token_batch_settings {
    index_t length = 256;          ///< T
    std::uint64_t seed = 1337;   ///< draws the training windows, nothing else
    std::optional<token> bos{};  ///< when given, every window begins with it
};

/// Windows of a text, as nanoGPT takes them: a training window begins anywhere, each start equally likely. Evaluation windows are
/// spread evenly over the validation tokens, however many are taken.
/// Without BOS a window is T + 1 tokens w: x = w0..w(T-1), y = w1..wT. With BOS it is T: x = BOS, w0..w(T-2), y = w0..w(T-1).
class token_batches {
public:
    /// \throws error naming the array when it is too short for one window, its tokens and what was needed
    token_batches(token_array train, token_array validation, token_batch_settings settings)
        : train_(std::move(train)),
          validation_(std::move(validation)),
          settings_(settings),
          training_(rng::stream(settings.seed, "windows")) {
        require(settings.length >= 1, "token batches: length: expected at least 1, got ", settings.length);
        require(settings.bos.value_or(0) >= 0, "token batches: bos: expected a token, got ", settings.bos.value_or(0));
        for (auto const* tokens : {&train_, &validation_})
            require(starts(*tokens) >= 1, tokens->name(), ": ", tokens->size(), " tokens: expected at least ", span(),
                    ", one window of length ", settings.length, settings.bos ? " after BOS" : " and its last target");
    }

    token_batch_settings const& settings() const { return settings_; }

    void batch(std::uint64_t i, view<token, 2> x, view<token, 2> y) const {
        fill(train_, i, x, y, [this](std::uint64_t n) { return rng::uniform(training_, n); });
    }

    /// The n-th window begins at the fractional part of n times the golden ratio: additive recurrence, even for every count.
    void evaluation(std::uint64_t i, view<token, 2> x, view<token, 2> y) const {
        fill(validation_, i, x, y,
             [](std::uint64_t n) { return static_cast<double>(n * 0x9E3779B97F4A7C15ull >> 11) * 0x1p-53; });
    }

private:
    /// Tokens that one window takes.
    index_t span() const { return settings_.length + (settings_.bos ? 0 : 1); }
    index_t starts(token_array const& tokens) const { return tokens.size() - span() + 1; }

    /// Batch i is windows i B to i B + B - 1; `place` says in [0, 1) where the n-th begins.
    template <class Place>
    void fill(token_array const& tokens, std::uint64_t i, view<token, 2> x, view<token, 2> y, Place place) const {
        index_t const B = x.shape(0), T = settings_.length;
        require_batch_shape(x, y, T);
        for (index_t b = 0; b < B; ++b) {
            double const u = place(i * static_cast<std::uint64_t>(B) + static_cast<std::uint64_t>(b));
            auto start = static_cast<index_t>(u * static_cast<double>(starts(tokens)));
            index_t t = 0;
            if (settings_.bos) {
                x(b, t) = *settings_.bos;
                y(b, t++) = tokens[start];
            }
            for (; t < T; ++t, ++start) {
                x(b, t) = tokens[start];
                y(b, t) = tokens[start + 1];
            }
        }
    }

    token_array train_, validation_;
    token_batch_settings settings_;
    rng::key training_;
};

static_assert(batch_source<backcopy_batches> && batch_source<token_batches>);

}  // namespace attnlab
