#pragma once
#include <cstddef>
#include <string_view>

namespace attnlab {

/// A name as a template argument: `head_vector<"k_bias">`.
template <std::size_t N>
struct fixed_string {
    char data[N]{};
    consteval fixed_string(char const (&s)[N]) {
        for (std::size_t i = 0; i < N; ++i) data[i] = s[i];
    }
    constexpr std::string_view view() const { return {data, N - 1}; }
};

}  // namespace attnlab
