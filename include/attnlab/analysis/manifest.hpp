#pragma once
#include <string>
#include <vector>

#include <attnlab/core/view.hpp>
#include <attnlab/io/json.hpp>

/// \file
/// How the runs behind a report were made. What was asked for (policies, seeds) is here and not guessed from the rows, so that a
/// run that is missing is seen to be missing.

namespace attnlab {

struct manifest {
    std::string task;                   ///< "backcopy", or the text's path
    std::string command;                ///< as typed
    std::vector<std::string> policies;  ///< in the order to print
    std::vector<int> seeds;
    index_t steps = 0;
    std::string machine;                ///< CPU, threads
    double minutes = 0;                 ///< all runs together, as the clock on the wall saw it
    std::string length_rule;            ///< which T the sigmoid's -ln T takes
    json versions = json::object();     ///< attnlab, compiler, libraries
    json options = json::object();      ///< every option with its value

    /// Bigram-Backcopy has an entropy floor and triggers; a text has neither.
    bool has_floor() const { return task == "backcopy"; }
};

inline json to_json(manifest const& m) {
    return {{"task", m.task},         {"command", m.command}, {"policies", m.policies},       {"seeds", m.seeds},       {"steps", m.steps},
            {"machine", m.machine},   {"minutes", json_number(m.minutes)}, {"length_rule", m.length_rule}, {"versions", m.versions}, {"options", m.options}};
}

/// \param where  begins the line of an error
inline manifest manifest_from_json(json const& j, std::string const& where) {
    manifest m;
    m.task = field<std::string>(j, where, "task");
    m.command = field<std::string>(j, where, "command");
    m.policies = field<std::vector<std::string>>(j, where, "policies");
    m.seeds = field<std::vector<int>>(j, where, "seeds");
    m.steps = field<index_t>(j, where, "steps");
    m.machine = field<std::string>(j, where, "machine");
    m.minutes = field<double>(j, where, "minutes");
    m.length_rule = field<std::string>(j, where, "length_rule");
    m.versions = field<json>(j, where, "versions");
    m.options = field<json>(j, where, "options");
    return m;
}

}  // namespace attnlab
