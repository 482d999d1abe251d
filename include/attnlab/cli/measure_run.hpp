#pragma once
#include <cmath>
#include <cstdint>
#include <numbers>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/analysis/estimate.hpp>
#include <attnlab/analysis/measure.hpp>
#include <attnlab/analysis/sample.hpp>
#include <attnlab/cli/data_source.hpp>
#include <attnlab/cli/evaluation_batches.hpp>
#include <attnlab/cli/experiment.hpp>
#include <attnlab/io/progress.hpp>
#include <attnlab/observe/record.hpp>

/// \file
/// A model measured on its evaluation sequences: skill (loss, excess) and, by observers, what its attention and stream do.

namespace attnlab {

/// Skill on the evaluation sequences.
struct skill {
    estimate loss;                         ///< nats per token, over batches
    std::optional<backcopy_score> score;   ///< on Bigram-Backcopy
};

/// Passes the evaluation sequences through the model; `o` watches. \param shown  told of each batch's sequences; or null
inline skill evaluate_model(any_model& model, data_source const& data, run_settings const& s, measure<float>& o, progress* shown = nullptr) {
    skill out;
    std::vector<double> losses;
    std::vector<std::uint8_t> triggers;
    if (data.task()) out.score.emplace();
    for (auto const& [x, y] : evaluation_batches(data, s)) {
        if (data.task()) {
            triggers.clear();
            for (index_t k = 0; k < x.size(); ++k) triggers.push_back(data.task()->is_trigger(x.data()[k]));
            o.mark_triggers(view<std::uint8_t const, 2>(triggers.data(), x.shape()));
            auto const score = data.task()->score(*x, *y, model.logits(*x, o), s.skip_first);
            *out.score += score;
            losses.push_back(score.loss());
        } else {
            losses.push_back(model.loss(*x, *y, o));
        }
        if (shown) shown->advance(static_cast<std::uint64_t>(x.shape(0)));
    }
    out.loss = mean_loss(std::move(losses));
    return out;
}

/// Appends all rows of a measurement at `step`.
inline skill measure_model(any_model& model, data_source const& data, run_settings const& s, index_t step, results& rows, progress* shown = nullptr) {
    measure<float> watcher(s.outlier_factor);
    auto const found = evaluate_model(model, data, s, watcher, shown);
    int const seed = static_cast<int>(s.seed);
    auto const row = [&](char const* name, double value) { rows.add(s.policy, seed, step, {name}, value); };
    row("loss", found.loss.mean);
    if (found.score) {
        row("excess", found.score->excess());
        row("copy_loss", found.score->copy_loss());
        row("copy_accuracy", found.score->copy_accuracy());
        row("floor", data.task()->floor().loss);
    }
    if (data.vocabulary() && data.vocabulary()->level() == text_level::bytes) row("bits_per_byte", found.loss.mean / std::numbers::ln2);
    watcher.finish(rows, s.policy, seed, step);
    return found;
}

/// The attention maps of the first evaluation sequence.
inline sample take_sample(any_model& model, data_source const& data, run_settings const& s) {
    index_t const T = s.model.block_size;
    tensor<token, 2> x({1, T}), y({1, T});
    data.evaluation(0, x, y);
    record<float, site::pattern> seen;
    model.logits(*x, seen);
    sample_taker<float> taker;
    for (index_t layer = 0; layer < s.model.n_layer; ++layer) {
        auto const& maps = seen.at(site::full_name<site::pattern>(layer));
        taker(site::pattern{}, layer, view<float const, 4>(maps.values.data(), {1, s.model.n_head, T, T}));
    }
    std::vector<std::string> labels;
    for (index_t t = 0; t < T; ++t) labels.push_back(data.label(x(0, t)));
    return taker.take(s.policy, static_cast<int>(s.seed), std::vector<std::int64_t>(x.data(), x.data() + T), std::move(labels));
}

}  // namespace attnlab
