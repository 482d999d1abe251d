#pragma once
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include <attnlab/cli/analysed_tokens.hpp>
#include <attnlab/cli/options.hpp>
#include <attnlab/io/safetensors.hpp>
#include <attnlab/observe/site_dump.hpp>

/// \file
/// `attnlab forward`: logits and whatever stands at sites, whole, for other tools.

namespace attnlab {

struct forward_settings {
    std::filesystem::path model, dump;
    std::vector<std::string> sites;
    std::string device = "cpu";
    sequence_options tokens;
};

inline void declare(option_table& o, forward_settings& s) {
    o.positional("MODEL", s.model, "a Hugging Face folder, a run's folder or its checkpoint");
    o.add("dump", s.dump, "needed: a .safetensors to write: `logits`, and each site under the name it was asked by");
    o.add("sites", s.sites, "what else: layers.3.down_out, down_out (of every layer), hidden_states.4, blocks.0.attn.hook_q; all");
    declare_sequences(o, s.tokens);
    declare_device(o, s.device);
}

/// Writes `s.dump`. \throws error, usage_error
inline void forward_command(forward_settings const& s, language_model& model) {
    if (s.dump.empty()) fail<usage_error>("--dump: missing: expected a .safetensors to write");
    if (s.dump.extension() != ".safetensors") fail<usage_error>("--dump: '", s.dump.string(), "': expected a .safetensors to write");
    auto names = s.sites;
    names.insert(names.begin(), "logits");
    site_dump dump(model.facts(), names);
    auto const x = read_sequences(s.tokens, model);
    model.forward(x.ids, dump);
    auto const seen = dump.take();
    safetensors_writer out;
    out.metadata = {{"model", model.facts().name}, {"family", model.facts().family}, {"tokens", x.from}};
    for (auto const& [name, r] : seen) out.add(name, r.shape, r.values);
    out.write(s.dump);
    for (auto const& w : model.warnings()) std::cerr << "warning: " << w << '\n';
    std::cout << s.dump.string() << ": " << plural(seen.size(), "tensor") << " of " << x.count() << " x " << plural(x.length(), "token") << '\n';
}

}  // namespace attnlab
