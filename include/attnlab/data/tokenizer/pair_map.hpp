#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

/// \file
/// Pairs of numbers to numbers: open addressing, 12 bytes an entry. Encoding looks merges up more often than it does anything
/// else.

namespace attnlab::tokenizers {

class pair_map {
public:
    static constexpr std::uint32_t none = 0xFFFFFFFF;

    /// Room for `count` pairs. Keys are below 2^31.
    explicit pair_map(std::size_t count = 0) : keys_(std::bit_ceil(count + count / 2 + 2), empty), values_(keys_.size()) {}

    std::size_t size() const { return size_; }

    /// The value of a pair, or `none`.
    std::uint32_t find(std::uint32_t a, std::uint32_t b) const {
        auto const at = slot(key(a, b));
        return keys_[at] == empty ? none : values_[at];
    }

    /// Gives a pair its value, in place of one that it has.
    void set(std::uint32_t a, std::uint32_t b, std::uint32_t value) {
        if ((size_ + 1) * 3 > keys_.size() * 2) grow();
        auto const at = slot(key(a, b));
        size_ += keys_[at] == empty;
        keys_[at] = key(a, b);
        values_[at] = value;
    }

private:
    static constexpr std::uint64_t empty = ~std::uint64_t{0};
    static std::uint64_t key(std::uint32_t a, std::uint32_t b) { return std::uint64_t{a} << 32 | b; }

    /// Where the key is, or would be.
    std::size_t slot(std::uint64_t wanted) const {
        std::uint64_t hash = wanted * 0x9E3779B97F4A7C15u;  // Fibonacci hashing, twice: the low bits of a product are weak
        hash = (hash ^ hash >> 32) * 0x9E3779B97F4A7C15u;
        auto at = static_cast<std::size_t>(hash >> 32) & (keys_.size() - 1);
        while (keys_[at] != empty && keys_[at] != wanted) at = (at + 1) & (keys_.size() - 1);
        return at;
    }

    void grow() {
        pair_map larger(keys_.size());
        for (std::size_t i = 0; i < keys_.size(); ++i)
            if (keys_[i] != empty)
                larger.set(static_cast<std::uint32_t>(keys_[i] >> 32), static_cast<std::uint32_t>(keys_[i]), values_[i]);
        *this = std::move(larger);
    }

    std::vector<std::uint64_t> keys_;
    std::vector<std::uint32_t> values_;
    std::size_t size_ = 0;
};

}  // namespace attnlab::tokenizers
