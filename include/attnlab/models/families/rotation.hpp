#pragma once
#include <algorithm>
#include <cmath>
#include <numbers>

#include <attnlab/models/decoder/description.hpp>
#include <attnlab/models/rope_config.hpp>

namespace attnlab {

namespace detail {

/// Between which pairs YaRN goes over from kept frequencies to divided ones (2309.00071, section 3.2; transformers' formulas).
struct yarn_bounds {
    double low, high;
    yarn_bounds(rope_config const& c, double rotated) {
        auto const pair_of = [&](double turns) {
            return rotated * std::log(static_cast<double>(c.original_length) / (turns * 2 * std::numbers::pi)) /
                   (2 * std::log(c.theta));
        };
        low = pair_of(c.beta_fast), high = pair_of(c.beta_slow);
        if (c.truncate) low = std::floor(low), high = std::ceil(high);
        low = std::max(low, 0.0), high = std::min(high, rotated - 1);
        if (low == high) high += 0.001;
    }
    /// Which share of pair p's frequency is divided.
    double divided(double p) const { return std::clamp((p - low) / (high - low), 0.0, 1.0); }
};

}  // namespace detail

/// The rotation of heads of D channels that a config.json asks for. \throws error when it is of an odd number of channels
inline rotation_form rotation_of(rope_config const& c, index_t D) {
    auto const rotated = static_cast<index_t>(static_cast<double>(D) * c.partial);
    require(rotated > 0 && rotated % 2 == 0 && rotated <= config_section::many, c.where, ": rotates ", rotated, " of the ", D,
            " channels of a head: expected an even number");
    if (c.scaling == rope_scaling::longrope)
        for (auto const& [field, factors] : {std::pair{"short_factor", c.shorter}, {"long_factor", c.longer}})
            require(static_cast<index_t>(factors.size()) == rotated / 2, c.where, ": field '", field, "': ", factors.size(),
                    " numbers: expected ", rotated / 2, ", one for each pair of channels");
    rotation_form out;
    double const width = static_cast<double>(rotated), length = static_cast<double>(c.original_length);
    for (index_t p = 0; p < rotated / 2; ++p) {
        double f = std::pow(c.theta, -2.0 * static_cast<double>(p) / width);
        switch (c.scaling) {
            case rope_scaling::none:
            case rope_scaling::dynamic:
                break;  // beyond the length trained on another base: such sequences are refused
            case rope_scaling::linear:
                f /= c.factor;
                break;
            case rope_scaling::llama3: {
                double const waves = length * f / (2 * std::numbers::pi);
                double const kept = std::clamp((waves - c.low_frequency) / (c.high_frequency - c.low_frequency), 0.0, 1.0);
                f = (1 - kept) * f / c.factor + kept * f;
                break;
            }
            case rope_scaling::yarn: {
                double const divided = detail::yarn_bounds(c, width).divided(static_cast<double>(p));
                f = divided * f / c.factor + (1 - divided) * f;
                break;
            }
            case rope_scaling::longrope:  // LongRoPE (2402.13753)
                out.beyond.push_back(f / c.longer[static_cast<std::size_t>(p)]);
                f /= c.shorter[static_cast<std::size_t>(p)];
                break;
        }
        out.frequencies.push_back(f);
    }
    if (c.scaling == rope_scaling::longrope) out.length = c.original_length;
    auto const of_yarn = [&](double scale) { return c.factor > 1 ? 0.1 * scale * std::log(c.factor) + 1 : 1; };
    if (c.attention_factor > 0)
        out.factor = c.attention_factor;
    else if (c.scaling == rope_scaling::yarn)
        out.factor = c.mscale != 0 && c.mscale_all != 0 ? of_yarn(c.mscale) / of_yarn(c.mscale_all) : of_yarn(1);
    else if (c.scaling == rope_scaling::longrope && c.factor > 1)
        out.factor = std::sqrt(1 + std::log(c.factor) / std::log(length));
    return out;
}

/// Reads the rotation of layers with a window, where the file has one for each kind; else it has this base, and no scaling.
inline void read_window_rotation(config_file const& c, decoder_description& d, double theta) {
    rope_config in_window;
    if (c.has("rope_parameters"))
        in_window = read_rope(c, {.default_theta = theta, .layers = "sliding_attention"});
    else
        in_window.theta = theta;
    d.window_rotation = rotation_of(in_window, d.head_size);
}

/// Reads the rotation into a description whose head size is known.
inline void read_rotation(config_file const& c, decoder_description& d, rope_names const& names = {}) {
    auto const rope = read_rope(c, names);
    try {
        d.rotation = rotation_of(rope, d.head_size);
    } catch (error const& e) {
        fail(c.where(), ": ", e.what());
    }
    if (rope.scaling == rope_scaling::dynamic) d.refuses_longer = true, d.longest = rope.original_length;
}

}  // namespace attnlab
