#pragma once
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>

#include <attnlab/io/file.hpp>

namespace attnlab {

/// "1024 bytes, FNV-1a 85944171f73967e8": tells a file from one that was changed since, not from one made to look the same. Nothing of what is
/// no plain file. \throws error naming a file that cannot be read \see Fowler, Noll, Vo, 64 bits (RFC 9923)
inline std::string fingerprint(std::filesystem::path const& path) {
    if (!std::filesystem::is_regular_file(path)) return {};
    mapped_file const file(path);
    std::uint64_t hash = 0xcbf29ce484222325;
    for (auto const byte : file.bytes()) hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3;
    char spelt[17];
    std::snprintf(spelt, sizeof spelt, "%016llx", static_cast<unsigned long long>(hash));
    return text(file.bytes().size(), " bytes, FNV-1a ", spelt);
}

}  // namespace attnlab
