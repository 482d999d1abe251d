#pragma once
#include <utf8proc.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/data/tokenizer/byte_alphabet.hpp>
#include <attnlab/data/tokenizer/pattern.hpp>
#include <attnlab/data/tokenizer/utf8.hpp>

/// \file
/// What happens to a text before it is split: the `normalizer` of a tokenizer.json. Each step takes valid UTF-8 and gives valid
/// UTF-8.

namespace attnlab::tokenizers {

/// NFC, NFD, NFKC or NFKD.
struct unicode_form {
    utf8proc_option_t form;

    void operator()(std::string& text) const {
        if (ascii_prefix(text) == text.size()) return;  // is in every form
        utf8proc_uint8_t* mapped = nullptr;
        auto const length =
            utf8proc_map(reinterpret_cast<utf8proc_uint8_t const*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                         &mapped, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | form));
        std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> const owner(mapped, std::free);
        require(length >= 0, "a text of ", text.size(), " bytes: its Unicode normal form: ", utf8proc_errmsg(length));
        text.assign(reinterpret_cast<char const*>(mapped), static_cast<std::size_t>(length));
    }
};

/// Put in front of a text that is not empty.
struct prepend {
    std::string prefix;
    void operator()(std::string& text) const {
        if (!text.empty()) text.insert(0, prefix);
    }
};

/// Every match replaced.
struct replace {
    pattern matches;
    std::string content;
    void operator()(std::string& text) const {
        std::string out;
        matches.parts(text, [&](std::string_view part, bool match) { out += match ? std::string_view(content) : part; });
        text = std::move(out);
    }
};

/// Each byte as a character of GPT-2's alphabet.
struct byte_characters {
    void operator()(std::string& text) const {
        std::string out;
        append_byte_characters(out, text);
        text = std::move(out);
    }
};

/// The steps in order.
struct normalizer {
    std::vector<std::variant<unicode_form, prepend, replace, byte_characters>> steps;

    /// `text`, or `storage` with what became of it.
    std::string_view operator()(std::string_view text, std::string& storage) const {
        if (steps.empty()) return text;
        storage = text;
        for (auto const& step : steps) std::visit([&](auto const& s) { s(storage); }, step);
        return storage;
    }
};

}  // namespace attnlab::tokenizers
