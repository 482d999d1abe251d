#pragma once
#include <algorithm>
#include <filesystem>
#include <string>

#include <attnlab/core/error.hpp>
#include <attnlab/io/file.hpp>
#include <attnlab/io/json.hpp>

namespace attnlab {

/// A text file as it is; of a .jsonl file, the field `text` of each line, an empty line between two (as C4 and WikiText are passed around).
/// \throws error naming the file and the line
inline std::string read_documents(std::filesystem::path const& path) {
    auto const all = read_text(path);
    if (path.extension() != ".jsonl") return all;
    std::string out;
    std::size_t line = 0;
    for (std::size_t at = 0; at < all.size(); ++line) {
        auto const end = std::min(all.find('\n', at), all.size());
        auto const words = all.substr(at, end - at);
        at = end + 1;
        if (words.find_first_not_of(" \t\r") == words.npos) continue;
        auto const where = text(path.string(), ": line ", line + 1);
        if (!out.empty()) out += "\n\n";
        out += field<std::string>(parse_json_text(words, where), where, "text");
    }
    require(!out.empty(), path.string(), ": empty: expected lines with a field 'text'");
    return out;
}

}  // namespace attnlab
