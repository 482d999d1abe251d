#pragma once
#include <algorithm>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include <attnlab/core/error.hpp>

/// \file
/// The types an option may have, and their text: Python's literals as nanoGPT's configurations write them (True, 1_000, 6e-4) and
/// the usual lower-case ones.

namespace attnlab {

/// An option's value without its C++ type, for help, records and JSON.
using option_value = std::variant<bool, std::int64_t, std::uint64_t, double, std::string, std::vector<std::string>>;

namespace detail {

inline std::string_view trimmed(std::string_view s) {
    constexpr std::string_view blank = " \t\r\n\f\v";
    auto const first = s.find_first_not_of(blank);
    return first == s.npos ? std::string_view{} : s.substr(first, s.find_last_not_of(blank) - first + 1);
}

/// Python's digit separators taken out: "1_000" is "1000"; "_1", "1__0" and "1_" stay as they are, and are no numbers.
inline std::string without_separators(std::string_view s) {
    auto const digit = [&](std::size_t i) { return i < s.size() && '0' <= s[i] && s[i] <= '9'; };
    std::string out;
    for (std::size_t i = 0; i < s.size(); ++i)
        if (!(s[i] == '_' && i > 0 && digit(i - 1) && digit(i + 1))) out += s[i];
    return out;
}

template <class T>
std::optional<T> read_number(std::string_view s) {
    auto const digits = without_separators(s);
    char const *first = digits.data(), *last = first + digits.size();
    if (last - first > 1 && first[0] == '+' && first[1] != '-') ++first;
    T value{};
    auto const [end, problem] = std::from_chars(first, last, value);
    if (problem != std::errc{} || end != last) return std::nullopt;
    if constexpr (std::floating_point<T>)
        if (!std::isfinite(value)) return std::nullopt;
    return value;
}

}  // namespace detail

/// How a type is read, written and described. Specialised for bool, whole numbers, numbers, text, paths and lists of text.
template <class T>
struct option_type;

template <>
struct option_type<bool> {
    static constexpr char const *expected = "true or false", *placeholder = "BOOL";
    static std::optional<bool> read(std::string_view s) {
        if (s == "True" || s == "true" || s == "1") return true;
        if (s == "False" || s == "false" || s == "0") return false;
        return std::nullopt;
    }
    static option_value value(bool x) { return x; }
};

template <std::integral T>
struct option_type<T> {
    static constexpr char const *expected = std::is_signed_v<T> ? "a whole number" : "a whole number, not negative",
                                *placeholder = "N";
    static std::optional<T> read(std::string_view s) { return detail::read_number<T>(s); }
    static option_value value(T x) {
        using wide = std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>;
        return static_cast<wide>(x);
    }
};

template <std::floating_point T>
struct option_type<T> {
    static constexpr char const *expected = "a number", *placeholder = "X";
    static std::optional<T> read(std::string_view s) { return detail::read_number<T>(s); }
    static option_value value(T x) { return static_cast<double>(x); }
};

template <>
struct option_type<std::string> {
    static constexpr char const *expected = "text", *placeholder = "TEXT";
    static std::optional<std::string> read(std::string_view s) { return std::string(s); }
    static option_value value(std::string const& x) { return x; }
};

template <>
struct option_type<std::filesystem::path> {
    static constexpr char const *expected = "a path", *placeholder = "PATH";
    static std::optional<std::filesystem::path> read(std::string_view s) { return std::filesystem::path(s); }
    static option_value value(std::filesystem::path const& x) { return x.string(); }
};

/// Comma-separated; nothing at all is the empty list, an empty name between commas is none.
template <>
struct option_type<std::vector<std::string>> {
    static constexpr char const *expected = "names separated by commas", *placeholder = "A,B,...";
    static std::optional<std::vector<std::string>> read(std::string_view s) {
        std::vector<std::string> out;
        for (std::size_t at = 0; !detail::trimmed(s).empty() && at <= s.size();) {
            auto const comma = std::min(s.find(',', at), s.size());
            auto const name = detail::trimmed(s.substr(at, comma - at));
            if (name.empty()) return std::nullopt;
            out.emplace_back(name);
            at = comma + 1;
        }
        return out;
    }
    static option_value value(std::vector<std::string> const& x) { return x; }
};

/// Whole numbers, comma-separated, at least one.
template <std::integral T>
struct option_type<std::vector<T>> {
    static constexpr char const *expected = "whole numbers separated by commas", *placeholder = "N,M,...";
    static std::optional<std::vector<T>> read(std::string_view s) {
        auto const words = option_type<std::vector<std::string>>::read(s);
        if (!words || words->empty()) return std::nullopt;
        std::vector<T> out;
        for (auto const& word : *words) {
            auto const number = option_type<T>::read(word);
            if (!number) return std::nullopt;
            out.push_back(*number);
        }
        return out;
    }
    static option_value value(std::vector<T> const& x) {
        std::vector<std::string> out;
        for (T n : x) out.push_back(std::to_string(n));
        return out;
    }
};

/// As an error, the help or a configuration file shows it; numbers shortest, without loss.
inline std::string to_text(option_value const& value) {
    return std::visit(
        []<class T>(T const& x) -> std::string {
            if constexpr (std::same_as<T, bool>)
                return x ? "true" : "false";
            else if constexpr (std::same_as<T, std::string>)
                return x;
            else if constexpr (std::same_as<T, std::vector<std::string>>)
                return joined(x, ",");
            else {
                char digits[32];
                return {digits, std::to_chars(digits, digits + sizeof digits, x).ptr};
            }
        },
        value);
}

}  // namespace attnlab
