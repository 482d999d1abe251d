#pragma once
#include <string>

#include <attnlab/io/json.hpp>
#include <attnlab/io/safetensors.hpp>
#include <attnlab/models/config.hpp>

/// \file
/// A GPT's sizes in its checkpoint, in the names of `attnlab train`'s options: what a program saves by `save_checkpoint`, or a trainer, `attnlab
/// analyze`, `forward` and `inspect` read, if they know the policy by that name; and a program reads what `attnlab train` wrote.

namespace attnlab {

namespace detail {
/// `visit(name, field)` of all that a checkpoint says of a GPT by itself; gelu and dtype are words there.
template <class Config, class Visit>
void each_checkpoint_field(Config& c, Visit visit) {
    visit("n_layer", c.n_layer), visit("n_head", c.n_head), visit("n_kv_head", c.n_kv_head), visit("n_embd", c.n_embd);
    visit("block_size", c.block_size), visit("vocab_size", c.vocab_size), visit("bias", c.bias), visit("tied", c.tied);
    visit("layer_norm_eps", c.layer_norm_eps), visit("separator", c.separator);
}
}  // namespace detail

/// The `config` of a training_state, or of a trainer. \param policy  names the whole attention: programs take a name that they know at its word
inline std::string checkpoint_config(gpt_config const& c, std::string const& policy) {
    json out{{"policy", policy}, {"gelu", c.gelu == gelu_form::tanh ? "tanh" : "exact"}, {"dtype", name_of(c.products)}};
    detail::each_checkpoint_field(c, [&](char const* name, auto const& field) { out[name] = field; });
    return out.dump();
}

/// The sizes of a checkpoint's model; what the file does not say is as a gpt_config begins. \throws error naming the file and the field
inline gpt_config read_gpt_config(safetensors_reader const& file) {
    auto const where = file.path().string() + ": config";
    auto const said = file.metadata().find("config");
    require(said != file.metadata().end(), where, ": missing: expected an attnlab checkpoint");
    json const all = parse_json_text(said->second, where);
    require(all.is_object(), where, ": expected an object of options");
    gpt_config c;
    detail::each_checkpoint_field(c, [&]<class T>(char const* name, T& field) { field = field_or<T>(all, where, name, field); });
    if (field_or<std::string>(all, where, "gelu", "exact") == "tanh") c.gelu = gelu_form::tanh;
    c.products = precision_named(field_or<std::string>(all, where, "dtype", "float32"));
    try {
        c.check();
    } catch (usage_error const& e) {
        fail(where, ": ", e.what());
    }
    return c;
}

}  // namespace attnlab
