#pragma once
#include <cctype>
#include <cstddef>
#include <string>
#include <string_view>

#include <attnlab/core/error.hpp>

/// \file
/// Split expressions are written for Oniguruma in Ruby's syntax (the engine of Hugging Face's tokenizers); PCRE2 runs them here.
/// They agree on most of what tokenisers use; what they read differently is spelt otherwise, and what neither spelling serves is
/// refused by name.

namespace attnlab::tokenizers {

namespace detail {

class oniguruma_reader {
public:
    oniguruma_reader(std::string_view regex, std::string const& where) : regex_(regex), where_(where) {}

    std::string pcre2() {
        for (; at_ < regex_.size(); ++at_) {
            char const c = regex_[at_];
            if (c == '\\')
                escape();
            else if (in_class_)
                of_class(c);
            else
                of_expression(c);
        }
        return out_;
    }

private:
    bool follows(std::string_view text) const { return regex_.substr(at_).starts_with(text); }
    [[noreturn]] void refuse(std::string_view what) const {
        fail(where_, ": '", what, "' in the expression '", regex_, "' is not supported");
    }
    void refuse_if(std::string_view text) const {
        if (follows(text)) refuse(text);
    }

    void escape() {
        if (at_ + 1 == regex_.size()) refuse("\\");
        char const c = regex_[++at_];
        std::string const word = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})";
        switch (c) {
            // PCRE2's own \s has U+180E besides; its \w lacks marks and connectors.
            case 's':
                out_ += R"(\p{White_Space})";
                return;
            case 'S':
                out_ += R"(\P{White_Space})";
                return;
            case 'w':
                out_ += in_class_ ? word : "[" + word + "]";
                return;
            case 'W':
                if (in_class_) refuse("\\W] in brackets");
                out_ += "[^" + word + "]";
                return;
            case 'v':
                out_ += R"(\x0b)";
                return;
            case 'u': {
                auto const digits = regex_.substr(at_ + 1, 4);
                for (char digit : digits)
                    if (!std::isxdigit(static_cast<unsigned char>(digit))) refuse("\\u");
                if (digits.size() < 4) refuse("\\u");
                out_ += text("\\x{", digits, "}");
                at_ += 4;
                return;
            }
            case 'p':
            case 'P':
            case 'x': {  // with the braces, which are no repetition
                auto const close = regex_.substr(at_ + 1).starts_with('{') ? regex_.find('}', at_) : at_;
                if (close == regex_.npos) refuse("{ without }");
                out_ += text('\\', regex_.substr(at_, close - at_ + 1));
                at_ = close;
                return;
            }
            default:
                bool const same = std::string_view("dDrntf").find(c) != std::string_view::npos ||
                                  (!in_class_ && (c == 'A' || c == 'z')) || std::ispunct(static_cast<unsigned char>(c)) ||
                                  static_cast<unsigned char>(c) >= 0x80;
                if (!same) refuse(std::string{'\\', c});
                out_ += {'\\', c};
        }
    }

    void of_class(char c) {
        if (c == '[') refuse("[ in brackets");  // a nested set or a POSIX name
        refuse_if("&&");
        out_ += c;
        in_class_ = c != ']';
    }

    void of_expression(char c) {
        out_ += c;
        if (c == '[') {
            in_class_ = true;
            if (regex_.substr(at_ + 1).starts_with('^')) out_ += regex_[++at_];
            if (regex_.substr(at_ + 1).starts_with(']')) refuse("[]");
        } else if (c == '(') {
            refuse_if("(*");
            bool plain = !follows("(?") || (at_ == 0 && follows("(?i)"));
            for (auto group : {"(?:", "(?i:", "(?-i:", "(?=", "(?!", "(?<=", "(?<!", "(?>"}) plain = plain || follows(group);
            if (!plain) refuse(regex_.substr(at_, 3));
        } else if (c == '{') {
            refuse_if("{,");  // from 0 on there, letters here
        } else if (c == '}') {
            refuse_if("}+");  // repeated again there, possessive here
            refuse_if("}?");
        }
    }

    std::string_view regex_;
    std::string const& where_;
    std::string out_;
    std::size_t at_ = 0;
    bool in_class_ = false;
};

}  // namespace detail

/// The expression for PCRE2, to be compiled with PCRE2_UTF, PCRE2_UCP and PCRE2_MULTILINE (Ruby's ^ and $ are those of lines).
/// \throws error naming `where` and what is not supported
inline std::string pcre2_of_oniguruma(std::string_view regex, std::string const& where) {
    return detail::oniguruma_reader(regex, where).pcre2();
}

}  // namespace attnlab::tokenizers
