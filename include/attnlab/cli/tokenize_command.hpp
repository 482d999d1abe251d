#pragma once
#include <cstddef>
#include <filesystem>
#include <istream>
#include <iterator>
#include <ostream>
#include <string>
#include <vector>

#include <attnlab/cli/options.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/data/tokenizer/load.hpp>
#include <attnlab/io/json.hpp>

/// \file
/// `attnlab tokenize`: a text's tokens as JSON lines, and back.

namespace attnlab {

struct tokenize_settings {
    std::filesystem::path model{};
    bool decode = false, special = false, skip_special = false, json = false, whole = false;
};

inline void declare(option_table& o, tokenize_settings& s) {
    o.positional("MODEL", s.model, "a model's folder, a tokenizer.json or a tokenizer.model");
    o.add("decode", s.decode, "JSON lines of tokens back to text; special tokens are written as the vocabulary spells them");
    o.add("special", s.special, "with the special tokens that the model puts around a text (BOS)");
    o.add("skip_special", s.skip_special, "with --decode: without special tokens");
    o.add("json", s.json, "a text is a JSON string, so that it may hold line ends: read so, and with --decode written so");
    o.add("whole", s.whole, "all of standard input is one text, not one a line");
}

namespace detail {

/// Calls f(line, where) for each line of `in`; `where` is for errors. What f wrote to `out` leaves before the next line is waited
/// for.
template <class F>
void each_line(std::istream& in, std::ostream& out, F f) {
    std::string line;
    for (std::size_t number = 1; std::getline(in, line); ++number) {
        f(line, text("standard input, line ", number));
        if (in.rdbuf()->in_avail() <= 0) out.flush();
    }
}

inline void write_tokens(std::ostream& out, std::vector<token> const& tokens) {
    out << '[';
    for (std::size_t i = 0; i < tokens.size(); ++i) out << (i == 0 ? "" : ",") << tokens[i];
    out << "]\n";
}

}  // namespace detail

/// \throws error naming the model's file, or the line of `in` that is not as expected
inline void tokenize_command(std::istream& in, std::ostream& out, tokenize_settings const& s) {
    if (s.skip_special && !s.decode) fail<usage_error>("--skip_special: expected with --decode");
    if (s.whole && (s.decode || s.json))
        fail<usage_error>("--whole: expected without --decode and --json, whose lines are texts");
    auto const model = load_tokenizer(s.model);
    if (s.whole) return detail::write_tokens(out, model->encode(std::string(std::istreambuf_iterator<char>(in), {}), s.special));
    detail::each_line(in, out, [&](std::string const& line, std::string const& where) {
        if (s.decode) {
            auto const tokens = json_as<std::vector<token>>(parse_json_text(line, where), where, "tokens");
            std::string words;
            try {
                words = model->decode(tokens, s.skip_special);
            } catch (error const& e) {
                fail(where, ": ", e.what());
            }
            out << (s.json ? json(words).dump() : words) << '\n';
        } else {
            detail::write_tokens(
                out, model->encode(s.json ? json_as<std::string>(parse_json_text(line, where), where, "text") : line, s.special));
        }
    });
}

}  // namespace attnlab
