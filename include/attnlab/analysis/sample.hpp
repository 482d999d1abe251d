#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/core/buffer.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/io/safetensors.hpp>
#include <attnlab/observe/observer.hpp>

/// \file
/// One sequence to look at: its attention maps after training, with what to print on the axes.

namespace attnlab {

struct sample {
    std::string policy;
    int seed = 0;
    std::vector<std::int64_t> tokens;  ///< (T)
    std::vector<std::string> labels;   ///< (T) what to print for each token
    tensor<float, 4> pattern;          ///< (L,H,T,T)

    index_t layers() const { return pattern.shape(0); }
    index_t heads() const { return pattern.shape(1); }
    index_t length() const { return pattern.shape(2); }

    /// The attention map (T,T) of one head.
    view<float const, 2> map(index_t layer, index_t head) const { return (*pattern)[layer][head]; }
};

/// The observer that takes a sample: the maps of the first sequence of the pass.
template <class T>
class sample_taker {
public:
    using sites = site_list<site::pattern>;

    void operator()(site::pattern, index_t layer, view<T const, 4> x) {
        if (layer == 0) maps_.clear();
        require(layer == static_cast<index_t>(maps_.size()), "sample: expected the layers in order, one pass at a time");
        shape_ = x[0].shape();
        maps_.emplace_back(x[0].begin(), x[0].end());
    }

    /// \throws error when no pass was seen, or tokens and labels are not T each
    sample take(std::string policy, int seed, std::vector<std::int64_t> tokens, std::vector<std::string> labels) const {
        require(!maps_.empty(), "sample: expected a forward pass before it is taken");
        auto const [H, T_q, T_k] = shape_;
        require(static_cast<index_t>(tokens.size()) == T_q && static_cast<index_t>(labels.size()) == T_q, "sample: expected ", T_q,
                " tokens and labels, got ", tokens.size(), " and ", labels.size());
        sample s{std::move(policy), seed, std::move(tokens), std::move(labels), {}};
        s.pattern.resize({static_cast<index_t>(maps_.size()), H, T_q, T_k});
        float* to = s.pattern.data();
        for (auto const& map : maps_)
            for (T weight : map) *to++ = static_cast<float>(weight);
        return s;
    }

private:
    std::array<index_t, 3> shape_{};
    std::vector<std::vector<T>> maps_;
};

/// Writes tensors "pattern" F32 (L,H,T,T) and "tokens" I64 (T), metadata policy, seed and labels (a JSON list). \throws error
inline void write_sample(std::filesystem::path const& path, sample const& s) {
    safetensors_writer out;
    out.metadata = {{"policy", s.policy},
                    {"seed", std::to_string(s.seed)},
                    {"labels", json(s.labels).dump(-1, ' ', false, json::error_handler_t::replace)}};
    out.add("pattern", *s.pattern);
    out.add("tokens", {static_cast<index_t>(s.tokens.size())}, std::span(s.tokens));
    out.write(path);
}

/// Reads what `write_sample` wrote. \throws error naming the file and what is wrong in it
inline sample read_sample(std::filesystem::path const& path) {
    safetensors_reader const in(path);
    auto const meta = [&](char const* key) {
        auto const it = in.metadata().find(key);
        if (it == in.metadata().end()) fail(path.string(), ": metadata '", key, "' is missing: expected a sample of attnlab");
        return it->second;
    };
    sample s;
    s.policy = meta("policy");
    s.seed = json_as<int>(parse_json_text(meta("seed"), path.string() + ": seed"), path.string(), "seed");
    s.labels = json_as<std::vector<std::string>>(parse_json_text(meta("labels"), path.string() + ": labels"), path.string(), "labels");

    auto const& shape = in.at("pattern").shape;
    require(shape.size() == 4 && shape[2] == shape[3] && in.at("pattern").type == dtype::f32, path.string(),
            ": tensor 'pattern': expected F32 of shape (L,H,T,T)");
    s.pattern.resize({shape[0], shape[1], shape[2], shape[3]});
    in.copy_to("pattern", std::span(s.pattern.data(), static_cast<std::size_t>(s.pattern.size())));
    require(in.at("tokens").shape == std::vector<index_t>{s.length()} && static_cast<index_t>(s.labels.size()) == s.length(), path.string(),
            ": expected ", s.length(), " tokens and labels, as the pattern has");
    s.tokens.resize(static_cast<std::size_t>(s.length()));
    in.copy_to("tokens", std::span(s.tokens));
    return s;
}

}  // namespace attnlab
