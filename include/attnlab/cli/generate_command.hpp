#pragma once
#include <algorithm>
#include <cmath>
#include <iostream>
#include <numeric>
#include <string>
#include <vector>

#include <attnlab/cli/checkpoint_data.hpp>
#include <attnlab/cli/family_model.hpp>

/// \file
/// `attnlab generate`: samples from a checkpoint, in the names of nanoGPT's sample.py.

namespace attnlab {

struct generate_settings {
    std::string start;                  ///< text, or token ids separated by spaces
    index_t num_samples = 1, max_new_tokens = 200, top_k = 0;
    double temperature = 0.8;
    std::uint64_t seed = 1337;
};

inline void declare(option_table& o, generate_settings& s) {
    o.group("Sampling");
    o.add("start", s.start, "what the samples begin with: text, or token ids; nothing: BOS, or for a model that is not given it the first evaluation sequence's beginning");
    o.add("num_samples", s.num_samples, "samples", at_least{1});
    o.add("max_new_tokens", s.max_new_tokens, "tokens of a sample", at_least{1});
    o.add("temperature", s.temperature, "divides the logits; 0 takes the likeliest token", at_least{0});
    o.add("top_k", s.top_k, "draw from the k likeliest tokens; 0: from all", at_least{0});
    o.add("seed", s.seed, "of the draws");
}

/// A token drawn from softmax(logits / temperature) over the k likeliest, by the uniform number u.
inline token draw_token(view<float const, 1> logits, double temperature, index_t top_k, double u) {
    std::vector<token> order(static_cast<std::size_t>(logits.size()));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](token a, token b) { return logits(a) > logits(b); });
    if (temperature == 0) return order.front();
    if (top_k > 0 && top_k < logits.size()) order.resize(static_cast<std::size_t>(top_k));
    std::vector<double> weights;
    for (token x : order) weights.push_back(std::exp(static_cast<double>(logits(x) - logits(order.front())) / temperature));
    double left = u * std::accumulate(weights.begin(), weights.end(), 0.0);
    for (std::size_t i = 0; i < order.size(); ++i)
        if ((left -= weights[i]) < 0) return order[i];
    return order.back();
}

/// What the first evaluation sequence begins with, one token more than the model skips.
inline std::vector<token> beginning_of_data(checkpoint_run run, index_t skipped) {
    auto& s = run.settings;
    s.skip_first = false;
    s.model.block_size += skipped;
    tensor<token, 2> x({1, s.model.block_size}), y(x.shape());
    data_of(run).evaluation(0, x, y);
    return {x.data(), x.data() + skipped + 1};
}

inline void generate_command(experiment const& e, checkpoint_run const& run, std::filesystem::path const& path, generate_settings const& g) {
    auto const& s = run.settings;
    auto const model = make_model(e, s, path);
    load_weights(safetensors_reader(path), model->parameters());
    bool const is_text = s.task == "text";
    text_vocabulary const vocabulary(run.code_points.value_or(std::vector<std::uint32_t>{}));

    auto const words = words_of(s);

    std::vector<token> start;
    if (words) {
        start = words->encode(g.start, true);
        if (start.empty()) start.push_back(words->bos().value_or(words->eos().value_or(0)));
    } else if (is_text) {
        start = vocabulary.encode(g.start, "--start");
        start.insert(start.begin(), vocabulary.bos());
    } else {
        std::istringstream words(g.start);
        for (std::string word; words >> word;) {
            auto const id = option_type<token>::read(word);
            if (!id || *id < 0 || *id >= s.model.vocab_size)
                fail<usage_error>("--start: '", word, "': expected token ids from 0 to ", s.model.vocab_size - 1);
            start.push_back(*id);
        }
        if (start.empty()) start.push_back(0);
    }
    index_t const skipped = s.skip_first;
    if (g.start.empty() && static_cast<index_t>(start.size()) <= skipped) start = beginning_of_data(run, skipped);
    if (static_cast<index_t>(start.size()) <= skipped)
        fail<usage_error>("--start: expected ", is_text ? "at least one character" : "at least two tokens", ": this model is not given the first token of a sequence");
    index_t const tokens = words ? words->size() : is_text ? vocabulary.size() : s.model.vocab_size;   // a model may have more, as padding
    for (index_t n = 0; n < g.num_samples; ++n) {
        auto sequence = start;
        for (index_t i = 0; i < g.max_new_tokens; ++i) {
            // The block slides: positions are learned up to block_size.
            auto const T = std::min(static_cast<index_t>(sequence.size()) - skipped, s.model.block_size);
            auto const logits = model->logits(view<token const, 2>(sequence.data() + static_cast<index_t>(sequence.size()) - T, {1, T}));
            double const u = rng::uniform(rng::stream(g.seed, static_cast<std::uint64_t>(n)), static_cast<std::uint64_t>(i));
            view<float const, 1> const known(logits[0][T - 1].data(), {std::min(tokens, s.model.vocab_size)});
            sequence.push_back(draw_token(known, g.temperature, g.top_k, u));
        }
        if (words) {
            std::cout << words->decode(sequence, true) << '\n';
        } else if (is_text) {
            std::cout << vocabulary.decode(sequence) << '\n';
        } else {
            for (token x : sequence) std::cout << x << ' ';
            std::cout << '\n';
        }
        if (n + 1 < g.num_samples) std::cout << "---------------\n";
    }
}

}  // namespace attnlab
