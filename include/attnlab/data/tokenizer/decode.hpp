#pragma once
#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <attnlab/data/tokenizer/byte_alphabet.hpp>
#include <attnlab/data/tokenizer/normalize.hpp>
#include <attnlab/data/tokenizer/utf8.hpp>

/// \file
/// Pieces back to text: the `decoder` of a tokenizer.json. Each step takes a list of strings and gives another.

namespace attnlab::tokenizers {

using strings = std::vector<std::string>;

/// All in one.
struct fuse {
    void operator()(strings& pieces) const {
        std::string all;
        for (auto const& p : pieces) all += p;
        pieces.assign(1, std::move(all));
    }
};

/// Characters of GPT-2's alphabet to their bytes, all in one. A piece that has others is itself.
struct bytes_of_pieces {
    void operator()(strings& pieces) const {
        std::string all, valid;
        for (auto const& p : pieces) all += bytes_of_characters(p).value_or(p);
        pieces.assign(1, std::string(valid_utf8(all, valid)));
    }
};

/// Runs of "<0x0A>" to their bytes; where these are no UTF-8, a U+FFFD each.
struct byte_fallback {
    void operator()(strings& pieces) const {
        strings out;
        std::string run;
        auto const flush = [&] {
            std::string ignored;
            if (valid_utf8(run, ignored).data() == run.data()) {
                if (!run.empty()) out.push_back(run);
            } else {
                out.insert(out.end(), run.size(), std::string(replacement_character));
            }
            run.clear();
        };
        for (auto& p : pieces) {
            unsigned char byte = 0;
            bool const spells_byte = p.size() == 6 && p.starts_with("<0x") && p[5] == '>' &&
                                     std::from_chars(p.data() + 3, p.data() + 5, byte, 16).ptr == p.data() + 5;
            if (spells_byte) {
                run += static_cast<char>(byte);
            } else {
                flush();
                out.push_back(std::move(p));
            }
        }
        flush();
        pieces = std::move(out);
    }
};

/// Up to `start` times `content` at the begin of each string, up to `stop` times at its end.
struct strip {
    std::string content;  ///< one character
    std::size_t start, stop;
    void operator()(strings& pieces) const {
        for (auto& p : pieces) {
            std::string_view left = p;
            for (std::size_t i = 0; i < start && left.starts_with(content); ++i) left.remove_prefix(content.size());
            for (std::size_t i = 0; i < stop && left.ends_with(content); ++i) left.remove_suffix(content.size());
            p = std::string(left);
        }
    }
};

/// Matches replaced in each string.
struct replace_in_pieces {
    replace matches;
    void operator()(strings& pieces) const {
        for (auto& p : pieces) matches(p);
    }
};

/// `mark` ("▁") to a space, or to nothing in the first piece where the mark was put in front of the text.
struct spaces_of_marks {
    std::string mark;
    bool drop_first;
    void operator()(strings& pieces) const {
        for (std::size_t i = 0; i < pieces.size(); ++i) {
            std::string out;
            for (std::string_view left = pieces[i]; !left.empty();) {
                auto const character = first_character(left);
                if (character != mark)
                    out += character;
                else if (i > 0 || !drop_first)
                    out += ' ';
                left.remove_prefix(character.size());
            }
            pieces[i] = std::move(out);
        }
    }
};

/// The steps in order. Without a decoder, pieces stand apart by spaces.
struct decoder {
    bool present = false;
    std::vector<std::variant<fuse, bytes_of_pieces, byte_fallback, strip, replace_in_pieces, spaces_of_marks>> steps;

    std::string operator()(strings pieces) const {
        for (auto const& step : steps) std::visit([&](auto const& s) { s(pieces); }, step);
        std::string out;
        for (std::size_t i = 0; i < pieces.size(); ++i) {
            if (i > 0 && !present) out += ' ';
            out += pieces[i];
        }
        return out;
    }
};

}  // namespace attnlab::tokenizers
