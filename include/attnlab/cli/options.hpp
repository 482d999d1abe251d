#pragma once
#include <algorithm>
#include <concepts>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/cli/option_value.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/core/nearest_names.hpp>

/// \file
/// Options as a table of named, typed references to the fields of a settings struct. A field's value when it is declared is the
/// option's default. Reading a command line is in read_options.hpp: who only declares options does not pay for it.

namespace attnlab {

// What an option accepts beyond its type. A check says whether a value holds, and how to name what it expects.

struct any_value {
    bool operator()(auto const&) const { return true; }
    std::string expected(std::string type) const { return type; }
};

/// Numbers from `low` on.
struct at_least {
    double low;
    bool operator()(auto value) const { return static_cast<double>(value) >= low; }
    std::string expected(std::string type) const { return text(type, ", ", low, " or more"); }
};

/// Numbers from `low` to `high`, both allowed.
struct between {
    double low, high;
    bool operator()(auto value) const { return low <= static_cast<double>(value) && static_cast<double>(value) <= high; }
    std::string expected(std::string type) const { return text(type, " from ", low, " to ", high); }
};

/// Every number of a list.
template <class Check>
struct each {
    Check check;
    bool operator()(auto const& values) const { return std::all_of(values.begin(), values.end(), std::cref(check)); }
    std::string expected(std::string type) const { return check.expected(std::move(type)); }
};

/// A text, or every text of a list, out of the names given.
struct one_of {
    std::vector<std::string> names;
    bool operator()(std::string const& value) const { return std::find(names.begin(), names.end(), value) != names.end(); }
    bool operator()(std::vector<std::string> const& values) const {
        return std::all_of(values.begin(), values.end(), std::ref(*this));
    }
    std::string expected(std::string const&) const { return text("one of ", joined(names)); }
};

/// One option as its table knows it.
struct option {
    std::string group, name, help, placeholder, expected;
    option_value default_value;
    bool is_flag = false;                       ///< bool: on the command line the name alone means true
    std::function<bool(std::string_view)> set;  ///< false: the text is not what was expected; the field is as before
    std::function<option_value()> get;
    bool given = false;  ///< set by a file or the command line

    /// Given, and not what it would be anyway.
    bool changed() const { return given && get() != default_value; }
};

/// An argument without a name: `attnlab inspect PATH`.
struct positional_argument {
    std::string name, help;
    bool required = true;
    std::function<void(std::string const&)> set;
};

template <class T>
concept text_or_path = std::same_as<T, std::string> || std::same_as<T, std::filesystem::path>;

/// The options of one command. Fields bound to it must outlive it.
class option_table {
public:
    /// \param command as typed, "attnlab train"; \param summary one line for the help
    option_table(std::string command, std::string summary) : command_(std::move(command)), summary_(std::move(summary)) {}

    /// Options added from here on stand under this title in the help.
    option_table& group(std::string title) {
        group_ = std::move(title);
        return *this;
    }

    /// Binds `--name` to a field: bool, whole number, floating-point, std::string, std::filesystem::path, or a
    /// std::vector of texts or whole numbers.
    template <class T, class Check = any_value>
    option_table& add(std::string name, T& field, std::string help, Check check = {}) {
        require(find(name) == nullptr && name != "config" && name != "help", "option '", name, "' is declared twice");
        using type = option_type<T>;
        auto set = [&field, check](std::string_view given) {
            auto value = type::read(given);
            if (!value || !check(*value)) return false;
            field = std::move(*value);
            return true;
        };
        options_.push_back({group_, std::move(name), std::move(help), type::placeholder, check.expected(type::expected),
                            type::value(field), std::same_as<T, bool>, std::move(set), [&field] { return type::value(field); }});
        return *this;
    }

    /// The next argument without a name goes to `field`.
    template <text_or_path Text>
    option_table& positional(std::string name, Text& field, std::string help, bool required = true) {
        positionals_.push_back(
            {std::move(name), std::move(help), required, [&field](std::string const& given) { field = given; }});
        return *this;
    }

    /// Reads one value. `before` is written before the name in an error: "run.cfg:3: ", or "--".
    /// Dashes in a name count as underscores.
    /// \throws usage_error for an unknown name, or a text that is not of the option's type and range
    void set(std::string name, std::string_view given, std::string_view before) {
        std::replace(name.begin(), name.end(), '-', '_');
        auto* o = find(name);
        if (o == nullptr) unknown(name, before);
        if (!o->set(given)) fail<usage_error>(before, name, ": '", given, "': expected ", o->expected);
        o->given = true;
    }

    [[noreturn]] void unknown(std::string_view name, std::string_view before) const {
        std::vector<std::string> names;
        for (auto const& o : options_) names.push_back(o.name);
        auto const near = nearest_names(name, names);
        fail<usage_error>(before, name, ": unknown option; ",
                          near.empty() ? "--help lists them all" : text("nearest: ", joined(near)));
    }

    /// The option of that name (underscores), or null.
    option const* find(std::string_view name) const {
        auto const at = std::find_if(options_.begin(), options_.end(), [&](auto const& o) { return o.name == name; });
        return at == options_.end() ? nullptr : &*at;
    }
    option* find(std::string_view name) { return const_cast<option*>(std::as_const(*this).find(name)); }

    /// Whether a file or the command line gave it, so that a preset may fill in the rest. \throws error when there is none
    bool given(std::string_view name) const {
        auto const* o = find(name);
        require(o != nullptr, "no option '", name, "' was declared");
        return o->given;
    }

    /// Whether it was given as something else than it would be anyway. \throws error when there is none
    bool changed(std::string_view name) const { return given(name) && find(name)->changed(); }

    std::vector<option> const& options() const { return options_; }
    std::vector<positional_argument> const& positionals() const { return positionals_; }
    std::string const& command() const { return command_; }
    std::string const& summary() const { return summary_; }

    /// All effective values as lines `name = value`, in the order declared: a configuration file that repeats the run (but for
    /// texts that hold both kinds of quotes).
    std::string as_config() const {
        std::string out;
        for (auto const& o : options_) {
            auto const value = o.get();
            bool const quoted =
                std::holds_alternative<std::string>(value) || std::holds_alternative<std::vector<std::string>>(value);
            char const* quote = !quoted ? "" : to_text(value).find('\'') == std::string::npos ? "'" : "\"";
            out += text(o.name, " = ", quote, to_text(value), quote, "\n");
        }
        return out;
    }

private:
    std::string command_, summary_, group_ = "Options";
    std::vector<option> options_;
    std::vector<positional_argument> positionals_;
};

/// `--quiet`, the same in every command that takes long.
inline void declare_quiet(option_table& o, bool& quiet) { o.add("quiet", quiet, "no word on progress: results and errors alone"); }

}  // namespace attnlab
