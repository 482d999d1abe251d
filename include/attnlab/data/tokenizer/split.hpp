#pragma once
#include <string_view>

#include <attnlab/data/tokenizer/pattern.hpp>

/// \file
/// A text cut where an expression matches, in the five ways of Hugging Face's SplitDelimiterBehavior.

namespace attnlab::tokenizers {

/// What becomes of a match, by the example of '-' in "a-b--c".
enum class delimiter {
    removed,               ///< a b c
    isolated,              ///< a - b - - c
    merged_with_previous,  ///< a- b- - c
    merged_with_next,      ///< a -b - -c
    contiguous             ///< a - b -- c
};

struct splitter {
    pattern delimiters;
    delimiter behavior = delimiter::isolated;
    bool invert = false;  ///< what lies between matches is the delimiter

    /// Calls f(piece) for the pieces of `text` that are not empty, in order.
    template <class F>
    void operator()(std::string_view text, F f) const {
        std::string_view group;  // of parts that belong together, so far
        bool open = false, previous = false;
        auto const flush = [&] {
            if (!group.empty()) f(group);
            open = false;
        };
        delimiters.parts(text, [&](std::string_view part, bool match) {
            match = match != invert;
            bool const joins = open && ((behavior == delimiter::contiguous && match == previous) ||
                                        (behavior == delimiter::merged_with_previous && match && !previous) ||
                                        (behavior == delimiter::merged_with_next && !match && previous));
            previous = match;
            if (joins) {
                group = {group.data(), group.size() + part.size()};
                return;
            }
            flush();
            if (behavior == delimiter::removed && match) return;
            group = part;
            open = true;
        });
        flush();
    }
};

}  // namespace attnlab::tokenizers
