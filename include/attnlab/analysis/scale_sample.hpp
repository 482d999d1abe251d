#pragma once
#include <algorithm>
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
/// The scales of a run's heads, query by query, on sequences that all runs of an experiment share: to be held against those of other runs.

namespace attnlab {

struct scale_sample {
    std::string policy;
    int seed = 0;
    std::vector<std::int64_t> tokens;   ///< (N, T): what the scales belong to
    tensor<float, 4> implicit;          ///< (N, L, H, T): 1 - P[i, 0], what a sink at the first key leaves to the others
    tensor<float, 4> gates;             ///< (N, L, H, T): the explicit scale, 1 where the policy has none
};

/// The observer that takes it, sequence by sequence: one pass, or several.
class scale_taker {
public:
    using sites = site_list<site::pattern, site::gate>;

    void operator()(site::pattern, index_t layer, view<float const, 4> x) {
        heads_ = x.shape(1), length_ = x.shape(2);
        if (layer == 0) first_ += batch_, batch_ = x.shape(0);
        take(implicit_, layer, [&](index_t b, index_t h, index_t i) { return 1 - x(b, h, i, 0); });
    }
    void operator()(site::gate, index_t layer, view<float const, 3> x) {
        take(gates_, layer, [&](index_t b, index_t h, index_t i) { return x(b, h, i); });
    }
    /// \param tokens  (N, T) of the passes
    scale_sample take(std::string policy, int seed, std::vector<std::int64_t> tokens) const {
        scale_sample s{std::move(policy), seed, std::move(tokens), {}, {}};
        require(static_cast<index_t>(s.tokens.size()) == (first_ + batch_) * length_, "scales: expected the tokens of the passes");
        for (auto [from, to] : {std::pair{&implicit_, &s.implicit}, {&gates_, &s.gates}}) {
            index_t const L = static_cast<index_t>(from->size()), N = first_ + batch_;
            to->resize({N, L, heads_, length_});
            for (index_t l = 0; l < L; ++l)
                for (index_t n = 0; n < N; ++n)
                    std::copy_n((*from)[static_cast<std::size_t>(l)].begin() + n * heads_ * length_, heads_ * length_, &(*to)(n, l, 0, 0));
        }
        return s;
    }

private:
    using by_layer = std::vector<std::vector<float>>;   // (L) of (N, H, T)
    template <class Value>
    void take(by_layer& to, index_t layer, Value value) {
        to.resize(std::max(to.size(), static_cast<std::size_t>(layer + 1)));
        for (index_t b = 0; b < batch_; ++b)
            for (index_t h = 0; h < heads_; ++h)
                for (index_t i = 0; i < length_; ++i) to[static_cast<std::size_t>(layer)].push_back(value(b, h, i));
    }
    by_layer implicit_, gates_;
    index_t heads_ = 0, length_ = 0, first_ = 0, batch_ = 0;
};

/// Writes tensors "implicit" and "gates" F32 (N,L,H,T) and "tokens" I64 (N,T), metadata policy and seed. \throws error
inline void write_scale_sample(std::filesystem::path const& path, scale_sample const& s) {
    safetensors_writer out;
    out.metadata = {{"policy", s.policy}, {"seed", std::to_string(s.seed)}};
    out.add("implicit", *s.implicit);
    out.add("gates", *s.gates);
    out.add("tokens", {s.implicit.shape(0), s.implicit.shape(3)}, std::span(s.tokens));
    out.write(path);
}

/// Reads what `write_scale_sample` wrote. \throws error naming the file and what is wrong in it
inline scale_sample read_scale_sample(std::filesystem::path const& path) {
    safetensors_reader const in(path);
    auto const meta = [&](char const* key) {
        auto const it = in.metadata().find(key);
        if (it == in.metadata().end()) fail(path.string(), ": metadata '", key, "' is missing: expected scales of attnlab");
        return it->second;
    };
    scale_sample s;
    s.policy = meta("policy");
    s.seed = json_as<int>(parse_json_text(meta("seed"), path.string() + ": seed"), path.string(), "seed");
    auto const& shape = in.at("implicit").shape;
    for (auto [name, to] : {std::pair{"implicit", &s.implicit}, {"gates", &s.gates}}) {
        require(in.at(name).shape == shape && shape.size() == 4 && in.at(name).type == dtype::f32, path.string(), ": tensor '", name,
                "': expected F32 of shape (N,L,H,T), one for both tensors");
        to->resize({shape[0], shape[1], shape[2], shape[3]});
        in.copy_to(name, std::span(to->data(), static_cast<std::size_t>(to->size())));
    }
    require(in.at("tokens").shape == std::vector<index_t>{shape[0], shape[3]}, path.string(), ": tensor 'tokens': expected shape (N,T)");
    s.tokens.resize(static_cast<std::size_t>(shape[0] * shape[3]));
    in.copy_to("tokens", std::span(s.tokens));
    return s;
}

}  // namespace attnlab
