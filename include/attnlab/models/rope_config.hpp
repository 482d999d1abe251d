#pragma once
#include <string>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/models/config_file.hpp>

/// \file
/// Rotary position embedding as a config.json says it, in the classic style (rope_theta, rope_scaling and a partial factor at the top
/// level) and the current one (all of it in rope_parameters).

namespace attnlab {

/// How angles position / theta^(2 i / dimension) are changed for texts longer than those trained on. The names are those of the files.
enum class rope_scaling { none, linear, dynamic, llama3, yarn, longrope };

struct rope_config {
    std::string where = "rotation";            ///< how an error line about it begins
    double theta = 10000;
    double partial = 1;                        ///< share of a head's channels that are rotated
    rope_scaling scaling = rope_scaling::none;
    double factor = 1;                         ///< all but none
    index_t original_length = 0;               ///< the length trained on: llama3, yarn, dynamic
    double low_frequency = 1, high_frequency = 4;       ///< llama3
    double beta_fast = 32, beta_slow = 1;               ///< yarn
    double attention_factor = 0;                        ///< yarn, longrope: of queries and keys; 0: from the factor
    double mscale = 0, mscale_all = 0;                  ///< yarn: that factor is of the one over that of the other, where both are given
    bool truncate = true;                               ///< yarn: whole channels as bounds
    std::vector<double> shorter, longer;                ///< longrope: divisors of the frequencies, up to the length trained on and beyond
};

/// What the two styles and the families call the same thing.
struct rope_names {
    std::string theta = "rope_theta", partial = "partial_rotary_factor";
    double default_theta = 10000, default_partial = 1;
    std::string layers = "full_attention";   ///< whose it is, in files that have one for each kind of layer (Gemma 3)
};

/// Reads every field that has to do with rotation. \throws error that names file and field: an unknown form, a missing or a wrong number
inline rope_config read_rope(config_file const& file, rope_names const& names = {}) {
    rope_config out;
    bool const current = file.has("rope_parameters");
    out.theta = file.number_or(names.theta, file.number_or("rope_theta", names.default_theta));
    out.partial = file.number_or(names.partial, file.number_or("partial_rotary_factor", names.default_partial));
    auto const& all = file.section(current ? "rope_parameters" : "rope_scaling");
    auto const& c = all.has(names.layers) ? all.section(names.layers) : all;
    require(!current || !file.has("rope_scaling"), file.where(), ": fields 'rope_parameters', 'rope_scaling': expected one of them");
    out.where = c.where();
    out.theta = c.number_or("rope_theta", out.theta);
    out.partial = c.number_or("partial_rotary_factor", out.partial);
    require(out.theta > 1, file.where(), ": field '", names.theta, "': ", out.theta, ": expected more than 1");
    require(out.partial > 0 && out.partial <= 1, file.where(), ": field '", names.partial, "': ", out.partial, ": expected more than 0, at most 1");

    // Llama 3.1's first files, and all older ones, say `type`.
    std::string const type = c.word_or("rope_type", c.word_or("type", "default"));
    c.ignore({"type"});
    if (type == "default") return out;
    if (type == "linear") out.scaling = rope_scaling::linear;
    else if (type == "dynamic") out.scaling = rope_scaling::dynamic;
    else if (type == "llama3") out.scaling = rope_scaling::llama3;
    else if (type == "yarn") out.scaling = rope_scaling::yarn;
    else if (type == "longrope" || type == "su") out.scaling = rope_scaling::longrope;
    else fail(c.where(), ": field 'rope_type': '", type, "': expected default, linear, dynamic, llama3, yarn or longrope");
    // Where the file does not say it, the length trained on is the longest there is. Phi-3 says it at the top level.
    config_section const& of_length = !c.has("original_max_position_embeddings") && file.has("original_max_position_embeddings") ? file : c;
    bool const has_lengths = of_length.has("original_max_position_embeddings");
    if (out.scaling != rope_scaling::linear)
        out.original_length = has_lengths ? of_length.integer("original_max_position_embeddings") : file.integer("max_position_embeddings");
    bool const from_lengths = !c.has("factor") && (out.scaling == rope_scaling::longrope || (out.scaling == rope_scaling::yarn && has_lengths));
    out.factor = from_lengths ? file.number("max_position_embeddings") / static_cast<double>(out.original_length) : c.number("factor");
    require(out.factor >= 1, c.where(), ": field 'factor': ", out.factor, ": expected at least 1");
    if (out.scaling == rope_scaling::linear) return out;
    if (out.scaling == rope_scaling::llama3) {
        out.low_frequency = c.number("low_freq_factor");
        out.high_frequency = c.number("high_freq_factor");
        require(0 < out.low_frequency && out.low_frequency < out.high_frequency, c.where(),
                ": fields 'low_freq_factor', 'high_freq_factor': expected positive numbers in ascending order");
    } else if (out.scaling == rope_scaling::yarn) {
        out.beta_fast = c.number_or("beta_fast", 32);
        out.beta_slow = c.number_or("beta_slow", 1);
        out.attention_factor = c.number_or("attention_factor", 0);
        out.mscale = c.number_or("mscale", 0), out.mscale_all = c.number_or("mscale_all_dim", 0);
        out.truncate = c.flag_or("truncate", true);
    } else if (out.scaling == rope_scaling::longrope) {
        out.shorter = c.numbers("short_factor"), out.longer = c.numbers("long_factor");
        out.attention_factor = c.number_or("attention_factor", 0);
        for (auto const* field : {"short_factor", "long_factor"})
            for (double f : c.numbers(field)) require(f > 0, c.where(), ": field '", field, "': ", f, ": expected positive numbers");
    }
    return out;
}

}  // namespace attnlab
