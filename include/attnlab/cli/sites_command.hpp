#pragma once
#include <iomanip>
#include <ostream>
#include <sstream>
#include <string>

#include <attnlab/core/error.hpp>
#include <attnlab/observe/site_names.hpp>

/// \file
/// `attnlab sites`: what can be looked at, by which names.

namespace attnlab {

inline void print_site(std::ostream& out, std::string const& name, site_info const& s) {
    std::ostringstream line;
    line << std::left << std::setw(43) << name << std::setw(10) << text('(', s.axes, ')') << std::setw(24) << joined(s.aliases)
         << s.meaning << (s.alterable || s.when != shown::forward ? "" : " (to look at only)");
    auto const words = line.str();
    out << words.substr(0, words.find_last_not_of(' ') + 1) << '\n';
}

/// All sites of a GPT, or the one that `name` names. \throws usage_error as find_site
inline void sites_command(std::ostream& out, std::string const& name, index_t layers) {
    if (!name.empty()) {
        auto const found = find_site(name, layers);
        return print_site(out, found.full_name(), *found.site);
    }
    out << "# Sites in order of a forward pass. Axes: B sequence, T position, C channel, H head, D channel of a head, F neuron, "
           "V vocabulary,\n"
           "# O output, I input. Then the keys of the paper's code; layers.{layer}.KEY and hidden_states.{layer} name sites "
           "too.\n";
    auto const list = [&](shown when, char const* title) {
        out << title;
        for (auto const& s : all_sites())
            if (s.when == when) print_site(out, s.full_name(), s);
    };
    list(shown::forward, "");
    list(shown::backward, "\n# Gradients, in order of the way back\n");
    list(shown::of_weights, "\n# Weights, shown when asked\n");
    list(shown::never, "\n# Of other families: a GPT has none\n");
}

}  // namespace attnlab
