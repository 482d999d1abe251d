#pragma once
#include <algorithm>
#include <filesystem>
#include <map>
#include <ostream>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <boost/program_options/cmdline.hpp>
#include <boost/program_options/option.hpp>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/positional_options.hpp>

#include <attnlab/cli/options.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/io/file.hpp>
#include <attnlab/io/json.hpp>

/// \file
/// Fills an option table: defaults, then `--config FILE`, then the command line. For the file that holds main; who declares
/// options needs options.hpp only.

namespace attnlab {

/// Lines `key = value` as nanoGPT's configurations have them, with # comments and quoted text. Nothing is executed.
/// \throws error when the file cannot be read, usage_error naming file and line
inline void read_config(option_table& table, std::filesystem::path const& path) {
    std::istringstream in(read_text(path));
    std::map<std::string, int> first_line;
    std::string line;
    for (int number = 1; std::getline(in, line); ++number) {
        auto const where = text(path.string(), ":", number, ": ");
        auto const body = detail::trimmed(line);
        if (body.empty() || body[0] == '#') continue;
        auto const equals = body.find('=');
        std::string const key(detail::trimmed(body.substr(0, equals)));
        if (equals == body.npos || key.empty() || key.find_first_of(" \t#'\"") != key.npos)
            fail<usage_error>(where, "'", body, "': expected a line `key = value`");

        auto value = detail::trimmed(body.substr(equals + 1));
        char const quote = value.empty() ? ' ' : value[0];
        if (quote == '\'' || quote == '"') {
            auto const close = value.find(quote, 1);
            if (close == value.npos) fail<usage_error>(where, key, ": ", value, ": expected a closing ", quote);
            auto const rest = detail::trimmed(value.substr(close + 1));
            if (!rest.empty() && rest[0] != '#')
                fail<usage_error>(where, key, ": '", rest, "' after the closing quote: expected nothing");
            value = value.substr(1, close - 1);
        } else {
            value = detail::trimmed(value.substr(0, value.find('#')));
            if (value.empty()) fail<usage_error>(where, key, ": expected a value after '='");
        }
        auto name = key;
        std::replace(name.begin(), name.end(), '-', '_');
        if (auto const [seen, fresh] = first_line.emplace(name, number); !fresh)
            fail<usage_error>(where, name, ": given twice, first on line ", seen->second);
        table.set(name, value, where);
    }
}

/// The help: usage, arguments, and every option by group with its default.
inline void print_help(option_table const& table, std::ostream& out) {
    namespace po = boost::program_options;
    out << "usage: " << table.command();
    for (auto const& p : table.positionals()) out << (p.required ? " " : " [") << p.name << (p.required ? "" : "]");
    out << " [--option value ...]\n\n" << table.summary() << "\n";
    for (auto const& p : table.positionals()) out << "\n  " << p.name << "  " << p.help;
    if (!table.positionals().empty()) out << "\n";

    // Boost lays out the columns; the value type is only there to carry the placeholder.
    auto const line = [](po::options_description& d, std::string const& name, std::string const& placeholder,
                         std::string const& help) {
        d.add_options()(name.c_str(), po::value<std::string>()->value_name(placeholder), help.c_str());
    };
    std::vector<std::string> groups;
    for (auto const& o : table.options())
        if (std::find(groups.begin(), groups.end(), o.group) == groups.end()) groups.push_back(o.group);
    for (auto const& group : groups) {
        po::options_description lines(group, 100, 60);
        for (auto const& o : table.options())
            if (o.group == group) {
                auto const value = to_text(o.default_value);
                line(lines, o.name, o.placeholder,
                     text(o.help, " (", o.expected.starts_with("one of") ? o.expected + "; " : "",
                          "default: ", value.empty() ? "none" : value, ")"));
            }
        out << "\n" << lines;
    }
    po::options_description lines("General", 100, 60);
    line(lines, "config", "FILE", "read options from lines `key = value`; the command line overrides them");
    lines.add_options()("help", "this text");
    out << "\n" << lines;
}

/// Reads the arguments that follow the command's name. Values as `--key value` or `--key=value`, names with underscores or
/// dashes; a bool's name alone means true. No abbreviations.
/// \return false when --help was asked for and printed to `help`: nothing is to be done then
/// \throws usage_error naming the option or line
inline bool read_options(option_table& table, std::vector<std::string> const& arguments, std::ostream& help) {
    namespace po = boost::program_options;
    auto const options_end = std::find(arguments.begin(), arguments.end(), "--");
    for (auto ask : {"--help", "-h"})
        if (std::find(arguments.begin(), options_end, ask) != options_end) return print_help(table, help), false;

    // Boost's own reading of `--key` knows no dashes for underscores, no optional value after a space, and not our errors.
    auto const named = [&table](std::vector<std::string>& left) {
        std::vector<po::option> found;
        if (!left.front().starts_with("--") || left.front() == "--") return found;
        auto const take = [&left] {
            auto token = std::move(left.front());
            left.erase(left.begin());
            return token;
        };
        auto const token = take();
        auto const equals = std::min(token.find('='), token.size());
        auto key = token.substr(2, equals - 2), value = token.substr(std::min(equals + 1, token.size()));
        std::replace(key.begin(), key.end(), '-', '_');
        auto const* o = table.find(key);
        if (o == nullptr && key != "config") table.unknown(key, "--");
        if (equals == token.size()) {
            bool const is_flag = o != nullptr && o->is_flag;
            bool const follows =
                !left.empty() && (is_flag ? option_type<bool>::read(left.front()).has_value() : !left.front().starts_with("--"));
            if (!follows && !is_flag)
                fail<usage_error>("--", key, ": expected a value: ", o != nullptr ? o->expected : "a configuration file");
            if (!follows && table.positionals().empty() && !left.empty() && !left.front().starts_with("--"))
                fail<usage_error>("--", key, ": '", left.front(), "': expected ", o->expected);
            value = follows ? take() : "true";
        }
        found.emplace_back(key, std::vector{value});
        return found;
    };
    constexpr char const* nameless = "(no name)";  // cannot be typed as an option
    po::options_description known;
    known.add_options()("config", po::value<std::string>())(nameless, po::value<std::vector<std::string>>());
    for (auto const& o : table.options()) known.add_options()(o.name.c_str(), po::value<std::string>());
    auto const parsed = po::command_line_parser(arguments)
                            .options(known)
                            .positional(po::positional_options_description().add(nameless, -1))
                            .style(po::command_line_style::allow_long | po::command_line_style::long_allow_adjacent)
                            .extra_style_parser(named)
                            .run();

    std::map<std::string, std::string> values;
    std::vector<std::string> positional;
    for (auto const& p : parsed.options) {
        if (p.string_key == nameless)
            positional.push_back(p.value.front());
        else if (!values.emplace(p.string_key, p.value.front()).second)
            fail<usage_error>("--", p.string_key, ": given twice");
    }
    if (auto const config = values.extract("config")) read_config(table, config.mapped());
    for (auto const& [name, value] : values) table.set(name, value, "--");

    auto const& wanted = table.positionals();
    for (std::size_t i = 0; i < std::max(wanted.size(), positional.size()); ++i) {
        if (i >= wanted.size())
            fail<usage_error>("'", positional[i], "': expected no ", wanted.empty() ? "" : "further ",
                              "argument without a name; options are --name value");
        if (i < positional.size())
            wanted[i].set(positional[i]);
        else if (wanted[i].required)
            fail<usage_error>(wanted[i].name, ": missing: expected ", wanted[i].help);
    }
    return true;
}

/// All effective values by name, typed: the options of a run manifest.
inline json effective_values(option_table const& table) {
    json out = json::object();
    for (auto const& o : table.options()) std::visit([&](auto const& value) { out[o.name] = value; }, o.get());
    return out;
}

}  // namespace attnlab
