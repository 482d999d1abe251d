#pragma once
#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/cli/experiment.hpp>
#include <attnlab/core/nearest_names.hpp>

/// \file
/// What a command is: a name, a line of help, and a function of the policies compiled in.

namespace attnlab {

/// The policies of a program, by name.
class policy_catalogue {
public:
    /// `experiments` are those that `reproduce` trains where it is not told otherwise. Of two of one name the first counts.
    policy_catalogue(std::vector<experiment> experiments, std::vector<experiment> others) {
        add(std::move(experiments));
        compared_ = all_.size();
        add(std::move(others));
    }

    std::vector<experiment> const& all() const { return all_; }
    std::size_t compared() const { return compared_; }

    /// \throws usage_error with near names
    experiment const& find(std::string const& name) const {
        std::vector<std::string> names;
        for (auto const& e : all_) {
            names.push_back(e.card.name);
            names.insert(names.end(), e.card.aliases.begin(), e.card.aliases.end());
            if (is_called(e, name)) return e;
        }
        auto const near = nearest_names(name, names);
        fail<usage_error>("policy '", name, "': unknown; ", near.empty() ? "" : "nearest: " + joined(near) + "; ", "`policies` lists them all");
    }

    /// The policy of a checkpoint. \throws error naming the file
    experiment const& find_trained(std::string const& name, std::filesystem::path const& checkpoint) const {
        for (auto const& e : all_)
            if (is_called(e, name)) return e;
        fail(checkpoint.string(), ": was trained under the policy '", name, "', which this program does not have: expected the program that trained it, or one with that policy");
    }

    /// Several, each once. \throws usage_error for one that is named twice
    std::vector<experiment const*> find(std::vector<std::string> const& names) const {
        std::vector<experiment const*> out;
        for (auto const& name : names) {
            auto const* e = &find(name);
            if (std::find(out.begin(), out.end(), e) != out.end()) fail<usage_error>("--policies: ", e->card.name, " is named twice: expected each once");
            out.push_back(e);
        }
        return out;
    }

private:
    static bool is_called(experiment const& e, std::string const& name) {
        return e.card.name == name || std::find(e.card.aliases.begin(), e.card.aliases.end(), name) != e.card.aliases.end();
    }
    void add(std::vector<experiment> more) {
        for (auto& e : more)
            if (std::none_of(all_.begin(), all_.end(), [&](auto const& other) { return other.card.name == e.card.name; })) all_.push_back(std::move(e));
    }

    std::vector<experiment> all_;
    std::size_t compared_ = 0;
};

/// What this program is called, in lines that somebody may copy: set by run_program.
inline std::string& program_name() {
    static std::string name = "attnlab";
    return name;
}

/// What follows the command's name.
using command_words = std::vector<std::string>;

struct command {
    std::string name, help;
    int (*run)(policy_catalogue const&, command_words const&);   ///< exit status
};

/// Commands that train and measure own runs (cli/run_commands.hpp), that look at models, own or of a Hugging Face folder
/// (cli/model_commands.hpp), and about the program and the machine (cli/program.hpp): compiled once each.
std::vector<command> run_commands();
std::vector<command> model_commands();

}  // namespace attnlab
