#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <string>
#include <variant>
#include <vector>

#include <attnlab/analysis/estimate.hpp>
#include <attnlab/analysis/format.hpp>
#include <attnlab/analysis/interventions/sink_cache.hpp>
#include <attnlab/analysis/position_losses.hpp>
#include <attnlab/cli/command.hpp>
#include <attnlab/cli/evaluation_batches.hpp>
#include <attnlab/cli/open_checkpoint.hpp>
#include <attnlab/io/new_folder.hpp>
#include <attnlab/io/table.hpp>
#include <attnlab/train/trainer.hpp>

/// \file
/// `attnlab convert`: a trained softmax model as one of attention_bias, without training: k', v' of each head are the key and value of the
/// first token, averaged over sequences. That token then leaves the sequence, with its position and its query: it would be counted twice
/// else. What is left keeps its positions (the table loses row 0), so the new model has a block_size of one less and sees sequences from
/// their second token on. Where all begin with one token it computes the same, to rounding, at every query but the first.

namespace attnlab {

namespace detail {

/// Batches that neither training nor evaluation sees, to average over.
inline sink_cache cached_sink(any_model& model, data_source const& data, run_settings const& s) {
    constexpr std::uint64_t beyond_training = std::uint64_t{1} << 40;
    index_t const B = std::min(s.train.batch_size, s.eval_sequences);
    tensor<token, 2> x({B, s.model.block_size}), y(x.shape());
    sink_cache cache;
    sink_caching<float> watcher(cache);
    attention_changer<float>& o = watcher;
    for (std::uint64_t i = 0; static_cast<index_t>(i) * B < s.eval_sequences; ++i) {
        data.batch(beyond_training + i, x, y);
        model.logits(*x, o);
    }
    return cache;
}

/// The parameters of `to` from those of `from` and the cached sink.
inline void fill_converted(parameter_list<float>& to, parameter_list<float>& from, sink_cache const& cache) {
    for (auto const& p : to) {
        auto const value = p->value;
        auto const layer_of = [&](std::string const& ending) -> index_t {
            for (index_t l = 0; l < cache.layers(); ++l)
                if (p->name == "transformer.h." + std::to_string(l) + ".attn." + ending) return l;
            return -1;
        };
        auto const put = [&](mean_rows const& rows) {
            index_t const D = rows.size(), group = p->size() / D / rows.heads();
            for (index_t i = 0; i < p->size(); ++i) value[static_cast<std::size_t>(i)] = static_cast<float>(rows(i / D / group, i % D));
        };
        if (auto const l = layer_of("k_bias"); l >= 0) put(cache.keys(l));
        else if (auto const m = layer_of("v_bias"); m >= 0) put(cache.values(m));
        else {
            auto const& source = from.at(p->name);
            bool const positions = p->name == "transformer.wpe.weight";
            auto const skipped = positions ? static_cast<std::size_t>(source.shape[1]) : 0;
            require(source.value.size() == value.size() + skipped, p->name, ": expected ", value.size() + skipped, " values");
            std::copy_n(source.value.begin() + static_cast<std::ptrdiff_t>(skipped), value.size(), value.begin());
        }
    }
}

/// (B, T - 1) of (B, T): without the first column.
inline tensor<token, 2> without_first(tensor<token, 2> const& x) {
    tensor<token, 2> out({x.shape(0), x.shape(1) - 1});
    for (index_t b = 0; b < out.shape(0); ++b)
        for (index_t t = 0; t < out.shape(1); ++t) out(b, t) = x(b, t + 1);
    return out;
}

/// Before and after, at every query but the first, and how far the logits are apart.
struct conversion_check {
    estimate before, after, change;
    double logits = 0;   ///< largest difference
};
inline conversion_check check_conversion(any_model& from, any_model& to, std::vector<evaluation_batch> const& batches) {
    std::vector<double> before, after, change;
    conversion_check out;
    for (auto const& batch : batches) {
        auto const y = without_first(batch.y);
        auto const given = from.logits(*batch.x);
        tensor<float, 3> kept({y.shape(0), y.shape(1), given.shape(2)});
        for (index_t b = 0; b < y.shape(0); ++b) std::copy_n(&given(b, 1, 0), y.shape(1) * given.shape(2), &kept(b, 0, 0));
        auto const x = without_first(batch.x);
        auto const now = to.logits(*x);
        for (index_t i = 0; i < now.size(); ++i) out.logits = std::max(out.logits, std::abs(static_cast<double>(now.data()[i] - kept.data()[i])));
        auto const a = sequence_losses(view<float const, 3>(kept), *y), b = sequence_losses(now, *y);
        for (std::size_t n = 0; n < a.size(); ++n) before.push_back(a[n]), after.push_back(b[n]), change.push_back(b[n] - a[n]);
    }
    out.before = estimate_of(before), out.after = estimate_of(after), out.change = estimate_of(change);
    return out;
}

}  // namespace detail

/// \param from, to  softmax and attention_bias \param out  a new folder, as of a run
/// \param sequences  to average over, and as many others to check on; 0: as in training
/// \throws error naming what cannot be converted or written
inline void convert_command(experiment const& from, experiment const& to, checkpoint_run const& run, std::filesystem::path const& path,
                            std::filesystem::path const& out, index_t sequences = 0) {
    auto const& s = run.settings;
    auto measured = s;
    if (sequences > 0) measured.eval_sequences = sequences;
    if (from.card.name != "softmax") fail(path.string(), ": its policy is ", from.card.name, ": expected softmax, which attention_bias can stand for");
    if (s.skip_first) fail(path.string(), ": skip_first: expected a model that sees the first token of a sequence");
    if (s.model.block_size < 2) fail(path.string(), ": block_size ", s.model.block_size, ": expected 2 or more");
    open_checkpoint const opened(from, run, path);
    auto const cache = detail::cached_sink(*opened.model, opened.data, measured);

    auto converted = s;
    converted.policy = to.card.name, converted.skip_first = true, converted.resume = false, converted.out_dir = std::filesystem::absolute(out);
    --converted.model.block_size;
    settle(converted);
    auto const model = to.make_model(converted.model, s.device);
    detail::fill_converted(model->parameters(), opened.model->parameters(), cache);
    auto const check = detail::check_conversion(*opened.model, *model, evaluation_batches(opened.data, measured));

    auto state = run.state;
    json config = parse_json_text(state.config, path.string() + ": config");
    option_table options("", "");
    declare(options, converted);
    for (auto const* name : {"policy", "skip_first", "resume", "out_dir", "block_size"})
        std::visit([&](auto const& value) { config[name] = value; }, options.find(name)->get());
    state.config = config.dump();
    optimizer<float> fresh(model->parameters(), converted.train.optimizer);
    write_folder_atomically(out, [&](std::filesystem::path const& folder) {
        save_checkpoint(folder / "ckpt.safetensors", model->parameters(), fresh, state);
        write_atomically(folder / "train.cfg", [&](std::ostream& file) { file << options.as_config(); });
    });

    double key_error = 0, value_error = 0;
    for (index_t l = 0; l < cache.layers(); ++l)
        for (index_t h = 0; h < cache.keys(l).heads(); ++h)
            key_error = std::max(key_error, cache.keys(l).error(h)), value_error = std::max(value_error, cache.values(l).error(h));
    table t{text(s.policy, " to ", to.card.name, ", step ", state.iteration, ": loss of positions 1 to ", s.model.block_size - 1, " of ", check.before.count,
                 " sequences, nats per token"), {"", "loss", "perplexity"}};
    t.add({"before", number(check.before.mean, 4), number(std::exp(check.before.mean), 3)});
    t.add({"after", number(check.after.mean, 4), number(std::exp(check.after.mean), 3)});
    t.add({"change", number(check.change.mean, 6) + " ± " + number(check.change.half_width, 6), ""});
    std::cout << to_text(t) << "largest difference of a logit " << cell(check.logits, 2) << "; k', v' stand for keys and values that differ from them by "
              << cell(100 * key_error, 3) << " % and " << cell(100 * value_error, 3) << " % (rms over sequences, the worst head)\n"
              << out.string() << ": sequences from their second token on, " << converted.model.block_size << " at most; `evaluate` and `generate` do that by themselves. To train on:\n"
              << "  " << program_name() << " train --config " << (out / "train.cfg").string() << " --resume true --out_dir " << out.string() << " --max_iters " << 2 * std::max<std::int64_t>(1, state.iteration) << '\n';
}

}  // namespace attnlab
