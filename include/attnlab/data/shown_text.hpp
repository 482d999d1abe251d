#pragma once
#include <string>
#include <string_view>

namespace attnlab {

/// Text as one word on an axis, in a table or a sentence: "\n" as \n, a space as _, what cannot be printed as its bytes.
inline std::string shown_text(std::string_view decoded) {
    std::string out;
    for (char c : decoded) {
        auto const byte = static_cast<unsigned char>(c);
        if (c == '\n') out += "\\n";
        else if (c == '\t') out += "\\t";
        else if (c == ' ') out += '_';
        else if (byte < 32 || byte == 127) out += '<' + std::to_string(int{byte}) + '>';
        else out += c;
    }
    return out;
}

}  // namespace attnlab
