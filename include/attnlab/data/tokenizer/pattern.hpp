#pragma once
#ifndef PCRE2_CODE_UNIT_WIDTH
#define PCRE2_CODE_UNIT_WIDTH 8
#endif
#include <pcre2.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <attnlab/core/error.hpp>
#include <attnlab/data/tokenizer/oniguruma.hpp>
#include <attnlab/data/tokenizer/utf8.hpp>

/// \file
/// Where an expression matches in a text: PCRE2, compiled to machine code where it can.

namespace attnlab::tokenizers {

static_assert(PCRE2_MAJOR > 10 || PCRE2_MINOR >= 40, "attnlab needs PCRE2 10.40: the first that knows \\p{White_Space}");

/// A compiled expression or literal. Immutable: threads may share one.
class pattern {
public:
    /// \throws error naming `where`: an expression that is faulty, or that PCRE2 reads in another way
    static pattern regex(std::string_view expression, std::string const& where) {
        return pattern(pcre2_of_oniguruma(expression, where), PCRE2_UCP | PCRE2_MULTILINE, where);
    }
    static pattern literal(std::string_view text, std::string const& where) { return pattern(text, PCRE2_LITERAL, where); }

    /// Calls f(part, whether it is a match) for parts that make up `text`, in order. `text` is valid UTF-8.
    /// \throws error when a match takes more steps than PCRE2 allows
    template <class F>
    void parts(std::string_view text, F f) const {
        std::size_t done = 0, from = 0;
        bool matched = false;
        for (bounds at; from <= text.size() && next(text, from, at);) {
            if (at.begin == at.end && matched && at.end == done) {  // nothing, right after a match: would be found for ever
                from += from < text.size() ? utf8_length(text[from]) : 1;
                continue;
            }
            if (done < at.begin) f(text.substr(done, at.begin - done), false);
            f(text.substr(at.begin, at.end - at.begin), true);
            done = from = at.end;
            matched = true;
        }
        if (done < text.size()) f(text.substr(done), false);
    }

    /// Whether there is a match in `text`.
    bool matches(std::string_view text) const {
        bounds at;
        return next(text, 0, at);
    }

private:
    struct bounds {
        std::size_t begin, end;
    };

    pattern(std::string_view expression, std::uint32_t options, std::string const& where) : where_(where) {
        int code = 0;
        PCRE2_SIZE offset = 0;
        std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)> const context(
            pcre2_compile_context_create(nullptr), pcre2_compile_context_free);
        pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
        compiled_ = {pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()), expression.size(),
                                   PCRE2_UTF | PCRE2_NO_UTF_CHECK | options, &code, &offset, context.get()),
                     pcre2_code_free};
        if (compiled_ == nullptr)
            fail(where, ": '", expression, "': expected an expression for PCRE2: ", reason(code), ", at byte ", offset);
        pcre2_jit_compile(compiled_.get(), PCRE2_JIT_COMPLETE);  // where the machine has none, it is interpreted
    }

    static std::string reason(int code) {
        PCRE2_UCHAR message[256];
        pcre2_get_error_message(code, message, sizeof message);
        return reinterpret_cast<char const*>(message);
    }

    /// The first match at or after `from`; what is before `from` is seen by look-behinds.
    bool next(std::string_view text, std::size_t from, bounds& out) const {
        thread_local std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> const data(
            pcre2_match_data_create(1, nullptr), pcre2_match_data_free);
        auto const match = [&](std::uint32_t options) {
            return pcre2_match(compiled_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                               PCRE2_NO_UTF_CHECK | options, data.get(), nullptr);
        };
        int code = match(0);
        if (code == PCRE2_ERROR_JIT_STACKLIMIT) code = match(PCRE2_NO_JIT);
        if (code == PCRE2_ERROR_NOMATCH) return false;
        if (code < 0)
            fail(where_, ": a text of ", text.size(), " bytes, at byte ", from,
                 ": expected one the expression can split: ", reason(code));
        auto const* const at = pcre2_get_ovector_pointer(data.get());
        out = {at[0], at[1]};
        return true;
    }

    std::shared_ptr<pcre2_code> compiled_;
    std::string where_;
};

}  // namespace attnlab::tokenizers
