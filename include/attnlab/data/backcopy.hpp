#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include <attnlab/core/buffer.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/core/rng.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/data/tokens.hpp>

/// \file
/// Bigram-Backcopy, the made-up language in which attention sinks form within a minute (after Guo et al., arXiv 2410.13835): a
/// Markov chain over tokens, except that a trigger repeats the token before it. What a perfect model loses is known exactly.

namespace attnlab {

/// The language. Tokens: 0 = BOS, 1..triggers, then the ordinary ones.
struct backcopy_settings {
    index_t vocabulary = 64;          ///< V, at most 4096 (two tables of V x V doubles)
    index_t triggers = 3;             ///< at least 1
    index_t length = 32;              ///< T: predictions of a sequence, which has T + 1 tokens; below 4096
    std::uint64_t matrix_seed = 1;  ///< draws the transition matrix, nothing else
};

/// What a model that knows the language loses.
struct backcopy_floor {
    double loss;           ///< nats per prediction, over all T predictions; a prediction at a trigger costs nothing
    double trigger_share;  ///< share of predictions made at a trigger
};

/// Sums over predictions, so that batches, threads and ranks add up; the members that divide are the measures.
struct backcopy_score {
    index_t positions = 0, triggers = 0, copied = 0;
    double excess_sum = 0, loss_sum = 0, copy_loss_sum = 0;

    /// Nats above a perfect model, without the sampling noise of the targets: the number to plot and to accept on.
    double excess() const { return excess_sum / static_cast<double>(positions); }
    /// Nats of the targets that were drawn.
    double loss() const { return loss_sum / static_cast<double>(positions); }
    /// Nats at triggers. Not a number without a trigger.
    double copy_loss() const { return copy_loss_sum / static_cast<double>(triggers); }
    /// Share of triggers after which the right token is the likeliest. Not a number without a trigger.
    double copy_accuracy() const { return static_cast<double>(copied) / static_cast<double>(triggers); }

    backcopy_score& operator+=(backcopy_score const& other) {
        positions += other.positions;
        triggers += other.triggers;
        copied += other.copied;
        excess_sum += other.excess_sum;
        loss_sum += other.loss_sum;
        copy_loss_sum += other.copy_loss_sum;
        return *this;
    }
};

/// The language: its transition matrix, its sequences (each a function of stream and number), its floor, and how far a model is
/// from it.
class backcopy {
public:
    /// \throws error naming the setting that is out of range
    explicit backcopy(backcopy_settings settings = {}) : settings_(settings) {
        auto const [V, k, T, seed] = settings;
        require(1 <= k && k <= 4094, "backcopy: triggers: expected 1 to 4094, got ", k);
        require(k + 2 <= V && V <= 4096, "backcopy: vocabulary: expected ", k + 2, " (BOS, ", k,
                " triggers, an ordinary token) to 4096, got ", V);
        require(1 <= T && T < numbers_per_sequence, "backcopy: length: expected 1 to ", numbers_per_sequence - 1, ", got ", T);

        transition_.resize({V, V});
        cumulative_.resize({V, V});
        entropy_.resize(static_cast<std::size_t>(V));
        auto const matrix = rng::stream(seed, 0);
        for (index_t i = 0; i < V; ++i) {
            auto const row = (*transition_)[i], cdf = (*cumulative_)[i];
            double sum = 0;
            for (index_t j = 0; j < V; ++j) sum += row(j) = weight(matrix, i, j);
            double running = 0, entropy = 0;
            for (index_t j = 0; j < V; ++j) {
                row(j) /= sum;
                cdf(j) = running += row(j);
                if (row(j) > 0) entropy -= row(j) * std::log(row(j));
            }
            cdf(V - 1) = 1;  // rounding must not leave a gap that a draw could fall into
            entropy_[static_cast<std::size_t>(i)] = entropy;
        }
    }

    backcopy_settings const& settings() const { return settings_; }
    bool is_trigger(token x) const { return 1 <= x && x <= settings_.triggers; }

    /// (V,V): row i is the distribution of what follows i where nothing is copied; row 0 is that of a sequence's first token.
    view<double const, 2> transition() const { return *transition_; }
    /// Nats of row i of the transition matrix.
    double entropy(token i) const { return entropy_[static_cast<std::size_t>(i)]; }

    static constexpr rng::key training_stream(std::uint64_t seed) { return rng::stream(seed, 1); }
    static constexpr rng::key evaluation_stream() { return rng::stream(0, 2); }

    /// Writes sequence s of a stream: BOS and T tokens. \throws error unless `out` holds T + 1
    void sequence(rng::key stream, std::uint64_t s, std::span<token> out) const {
        index_t const T = settings_.length;
        require(static_cast<index_t>(out.size()) == T + 1, "backcopy: sequence: expected room for ", T + 1, " tokens, got ",
                out.size());
        auto x = view<token, 1>(out.data(), {T + 1});
        x(0) = 0;
        std::uint64_t const numbers = s * numbers_per_sequence;
        for (index_t t = 1; t <= T; ++t)
            x(t) = copies(t, x(t - 1)) ? x(t - 2) : draw(x(t - 1), rng::uniform(stream, numbers + static_cast<std::uint64_t>(t)));
    }

    /// What a perfect model loses, by the chain's own probabilities. With n_t(x) = Pr(x_t = x, x ordinary), P_N the ordinary
    /// columns of P and p(x) the trigger mass of row x: n_(t+1) = n_t P_N + n_(t-1) * p, as a token stands at t + 1 either by a
    /// draw or because a trigger at t repeats t - 1.
    backcopy_floor floor() const {
        index_t const V = settings_.vocabulary, T = settings_.length, first_ordinary = settings_.triggers + 1;
        auto const P = transition();
        std::vector<double> before(static_cast<std::size_t>(V), 0), now(P[0].begin(), P[0].end()), next;
        double loss = entropy_[0], share = 0;
        for (index_t t = 1; t < T; ++t) {
            double ordinary = 0;
            next.assign(static_cast<std::size_t>(V), 0);
            for (index_t x = first_ordinary; x < V; ++x) {
                auto const i = static_cast<std::size_t>(x);
                ordinary += now[i];
                loss += now[i] * entropy_[i];
                double trigger_mass = 0;
                for (index_t j = 1; j < first_ordinary; ++j) trigger_mass += P(x, j);
                next[i] += before[i] * trigger_mass;
                for (index_t j = first_ordinary; j < V; ++j) next[static_cast<std::size_t>(j)] += now[i] * P(x, j);
            }
            share += 1 - ordinary;
            before.swap(now);
            now.swap(next);
        }
        return {loss / static_cast<double>(T), share / static_cast<double>(T)};
    }

    /// Measures a model: inputs and targets (B,T) as `sequence` makes them; logits (B,T,V), float or double, up to a constant a
    /// row, so log-probabilities serve as well. The excess of a prediction is KL(P[x_t] || model) where the next token is drawn
    /// and -log model(x_(t-1)) where it is copied. Arithmetic in double; a logit of NaN makes losses and excess NaN.
    /// \param first  place of the first column in its sequence
    /// \throws error when shapes disagree or a token is not of this vocabulary
    template <class Real>
    backcopy_score score(view<token const, 2> inputs, view<token const, 2> targets, view<Real, 3> logits, index_t first = 0) const {
        index_t const B = inputs.shape(0), T = inputs.shape(1), V = settings_.vocabulary;
        require(targets.shape() == inputs.shape(), "backcopy: score: targets: expected the shape of the inputs (", B, ",", T,
                "), got (", targets.shape(0), ",", targets.shape(1), ")");
        require(logits.shape() == std::array<index_t, 3>{B, T, V}, "backcopy: score: logits: expected shape (", B, ",", T, ",", V,
                "), got (", logits.shape(0), ",", logits.shape(1), ",", logits.shape(2), ")");
        backcopy_score total;
        for (index_t b = 0; b < B; ++b)
            for (index_t t = 0; t < T; ++t) {
                token const x = inputs(b, t), y = targets(b, t);
                for (token const each : {x, y})
                    require(0 <= each && each < V, "backcopy: score: row ", b, " position ", t, ": expected a token below ", V,
                            ", got ", each);
                view<Real, 1> const row = logits[b][t];
                double const normalizer = log_normalizer(row);
                ++total.positions;
                total.loss_sum += normalizer - static_cast<double>(row(y));
                if (copies(first + t + 1, x) && t > 0) {
                    token const wanted = inputs(b, t - 1);
                    double const nats = normalizer - static_cast<double>(row(wanted));
                    ++total.triggers;
                    total.copied += std::max_element(row.begin(), row.end()) - row.begin() == wanted;
                    total.copy_loss_sum += nats;
                    total.excess_sum += nats;
                } else {
                    double cross_entropy = 0;
                    for (index_t j = 0; j < V; ++j)  // 0 log 0 = 0: a perfect model may say -infinity
                        if (transition_(x, j) > 0)
                            cross_entropy += transition_(x, j) * (normalizer - static_cast<double>(row(j)));
                    total.excess_sum += cross_entropy - entropy(x);
                }
            }
        return total;
    }

private:
    /// Sequence s draws from numbers s * 4096 + t of its stream: sequences never share one.
    static constexpr index_t numbers_per_sequence = 4096;

    /// Whether the token at t repeats the one at t - 2, given the one between.
    bool copies(index_t t, token previous) const { return t >= 3 && is_trigger(previous); }

    /// Unnormalized P[i][j]: a Zipf weight times a squared exponential variate; row 0 is not random and knows no triggers.
    double weight(rng::key matrix, index_t i, index_t j) const {
        if (j == 0 || (i == 0 && j <= settings_.triggers)) return 0;
        double const zipf = 1 / static_cast<double>(j);
        if (i == 0) return zipf;
        double const exponential = -std::log1p(-rng::uniform(matrix, static_cast<std::uint64_t>(i * settings_.vocabulary + j)));
        return zipf * exponential * exponential;
    }

    token draw(token previous, double u) const {
        auto const cdf = (*cumulative_)[previous];
        return static_cast<token>(std::upper_bound(cdf.begin(), cdf.end(), u) - cdf.begin());
    }

    template <class Real>
    static double log_normalizer(view<Real, 1> row) {
        double const top = static_cast<double>(*std::max_element(row.begin(), row.end()));
        double sum = 0;
        for (Real s : row) sum += std::exp(static_cast<double>(s) - top);
        return top + std::log(sum);
    }

    backcopy_settings settings_;
    tensor<double, 2> transition_, cumulative_;
    std::vector<double> entropy_;
};

}  // namespace attnlab
