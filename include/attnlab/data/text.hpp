#pragma once
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iomanip>
#include <iterator>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/locale/utf.hpp>

#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/data/documents.hpp>
#include <attnlab/data/shown_text.hpp>
#include <attnlab/data/tokenizer.hpp>
#include <attnlab/data/tokens.hpp>
#include <attnlab/io/file.hpp>

/// \file
/// Plain text as tokens, with nothing to download: one token a byte, or one a character that occurs.

namespace attnlab {

enum class text_level { bytes, characters };

/// Which token stands for what. The last token is BOS, so that characters keep nanoGPT's numbers (their rank among those that
/// occur) and bytes their values.
class text_vocabulary {
public:
    /// Bytes 0 to 255 and BOS = 256: any file is text.
    static text_vocabulary bytes() { return text_vocabulary{}; }
    /// The characters of a UTF-8 text in ascending order, then BOS. \throws error naming the text and the byte that is not UTF-8
    static text_vocabulary characters(std::string_view text, std::string const& name) {
        std::set<std::uint32_t> seen;
        each_character(text, name, [&](std::uint32_t c, std::size_t) { seen.insert(c); });
        require(!seen.empty(), name, ": empty: expected text");
        return text_vocabulary(std::vector<std::uint32_t>(seen.begin(), seen.end()));
    }

    /// What `code_points` gave: how a checkpoint keeps a vocabulary. Empty means bytes.
    /// \throws error unless the code points are valid and ascend
    explicit text_vocabulary(std::vector<std::uint32_t> code_points = {}) : code_points_(std::move(code_points)) {
        for (std::size_t i = 0; i < code_points_.size(); ++i)
            require(boost::locale::utf::is_valid_codepoint(code_points_[i]) && (i == 0 || code_points_[i - 1] < code_points_[i]),
                    "text vocabulary: entry ", i, ": expected ascending Unicode code points, got ", code_points_[i]);
    }
    std::vector<std::uint32_t> const& code_points() const { return code_points_; }

    text_level level() const { return code_points_.empty() ? text_level::bytes : text_level::characters; }
    /// V, BOS included.
    index_t size() const { return bos() + 1; }
    token bos() const { return level() == text_level::bytes ? 256 : static_cast<token>(code_points_.size()); }

    /// Tokens of a text, no BOS. \throws error naming the text and the byte: not UTF-8, or not in the vocabulary
    std::vector<token> encode(std::string_view text, std::string const& name) const {
        std::vector<token> out;
        if (level() == text_level::bytes) {
            std::transform(text.begin(), text.end(), std::back_inserter(out),
                           [](char c) { return token{static_cast<unsigned char>(c)}; });
            return out;
        }
        each_character(text, name, [&](std::uint32_t c, std::size_t offset) {
            auto const at = std::lower_bound(code_points_.begin(), code_points_.end(), c);
            if (at == code_points_.end() || *at != c)
                fail(name, ": byte ", offset, ": character U+", std::hex, std::uppercase, std::setfill('0'), std::setw(4), c,
                     std::dec, ": expected one of the ", code_points_.size(), " characters of the vocabulary");
            out.push_back(static_cast<token>(at - code_points_.begin()));
        });
        return out;
    }

    /// The text of tokens; BOS stands for no text. \throws error naming the position of a token that is not of this vocabulary
    std::string decode(std::span<token const> tokens) const {
        std::string out;
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            token const x = tokens[i];
            require(0 <= x && x <= bos(), "text: token ", x, " at position ", i, ": expected 0 to ", bos());
            if (x == bos()) continue;
            if (level() == text_level::bytes)
                out += static_cast<char>(x);
            else
                utf8::encode(code_points_[static_cast<std::size_t>(x)], std::back_inserter(out));
        }
        return out;
    }

    /// A token as one word: a character, \n, BOS; #200 for a byte that is but a part of a character, and for a model's padding.
    std::string shown(token x) const {
        if (x == bos()) return "BOS";
        token const one[] = {x};
        return x > bos() || (level() == text_level::bytes && x > 127) ? "#" + std::to_string(x) : shown_text(decode(one));
    }

private:
    using utf8 = boost::locale::utf::utf_traits<char>;

    /// Calls f(code point, byte offset) for each character.
    template <class F>
    static void each_character(std::string_view text, std::string const& name, F f) {
        for (auto at = text.begin(); at != text.end();) {
            auto const offset = static_cast<std::size_t>(at - text.begin());
            std::uint32_t const c = utf8::decode(at, text.end());
            require(boost::locale::utf::is_valid_codepoint(c), name, ": byte ", offset,
                    ": expected UTF-8 (bytes as tokens take any file)");
            f(c, offset);
        }
    }

    std::vector<std::uint32_t> code_points_;
};

/// A text split as nanoGPT splits it.
struct text_corpus {
    text_vocabulary vocabulary;
    token_array train;       ///< the first 90 %, rounded down
    token_array validation;  ///< the rest
};

/// Reads a text file. Pass `vocabulary.bos()` on to `token_batches`, which says so when a part is too short for a window.
/// \param known  a vocabulary to read it by; without, its own at that level
/// \throws error naming the file: not readable, empty, or (characters) the byte that is not UTF-8 or not known
inline text_corpus load_text(std::filesystem::path const& path, text_level level, std::optional<text_vocabulary> const& known = {}) {
    std::string const name = path.string(), text = read_text(path);
    require(!text.empty(), name, ": empty: expected text");
    auto const vocabulary = known ? *known : level == text_level::bytes ? text_vocabulary::bytes() : text_vocabulary::characters(text, name);
    token_array const all(name, vocabulary.encode(text, name));
    index_t const cut = all.size() * 9 / 10;
    return {vocabulary, all.part(name + ": training part (first 90 %)", 0, cut),
            all.part(name + ": validation part (last 10 %)", cut, all.size())};
}

/// The same by a model's tokeniser, without BOS.
struct tokenized_corpus {
    token_array train, validation;
};
inline tokenized_corpus load_text(std::filesystem::path const& path, tokenizer const& words) {
    std::string const name = path.string(), text = read_documents(path);
    require(!text.empty(), name, ": empty: expected text");
    token_array const all(name, words.encode(text));
    index_t const cut = all.size() * 9 / 10;
    return {all.part(name + ": training part (first 90 %)", 0, cut), all.part(name + ": validation part (last 10 %)", cut, all.size())};
}

}  // namespace attnlab
