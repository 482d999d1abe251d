#pragma once
#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <ostream>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/io/file.hpp>

/// \file
/// NumPy's .npy (numpy.lib.format): magic, version, header length, a Python dict as text, the values. Read: versions 1.0 and 2.0,
/// C order, little-endian f4, f8, i4, i8, u2, u4. Written: version 1.0.

namespace attnlab {

/// An array on disk, mapped. The values are converted when asked for.
class npy_array {
public:
    std::vector<index_t> shape;
    std::string dtype;  ///< as the file spells it: "<f4", "<i8", ...

    /// \throws error naming the file and the header's field
    explicit npy_array(std::filesystem::path path) : file_(std::move(path)) {
        auto const bytes = file_.bytes();
        require(bytes.size() >= 10 && std::memcmp(bytes.data(), "\x93NUMPY", 6) == 0, where(), ": expected a .npy file");
        auto const major = static_cast<unsigned>(bytes[6]), minor = static_cast<unsigned>(bytes[7]);
        require((major == 1 || major == 2) && minor == 0, where(), ": version ", major, ".", minor, ": expected 1.0 or 2.0");
        std::size_t const prefix = major == 1 ? 10 : 12;
        std::uint32_t length = 0;
        require(bytes.size() >= prefix, where(), ": header: cut off");
        std::memcpy(&length, bytes.data() + 8, prefix - 8);
        require(length <= bytes.size() - prefix, where(), ": header: ", length, " bytes long, but ", bytes.size() - prefix, " follow");
        read_header({reinterpret_cast<char const*>(bytes.data()) + prefix, length});
        values_ = bytes.subspan(prefix + length);

        std::size_t expected = with_type([](auto type) { return sizeof type; });
        for (index_t n : shape)
            require(!__builtin_mul_overflow(expected, static_cast<std::size_t>(n), &expected), where(), ": shape: larger than any file");
        require(values_.size() == expected, where(), ": shape: expected ", expected, " bytes of values, found ", values_.size());
    }

    std::size_t size() const { return values_.size() / with_type([](auto type) { return sizeof type; }); }

    /// The values in C order as T: any of the types as a floating-point T, whole numbers as a whole-number T they fit.
    /// \throws error when the file holds fractions and T is a whole number, or a value is out of T's range
    template <class T>
    std::vector<T> as() const {
        std::vector<T> out(size());
        read(0, std::span<T>(out));
        return out;
    }

    /// Values first, first + 1, ... in C order; \throws error as `as`, or when there are not so many
    template <class T>
    void read(std::size_t first, std::span<T> out) const {
        require(first <= size() && out.size() <= size() - first, where(), ": holds ", size(), " values, expected ", out.size(), " from value ",
                first, " on");
        with_type([&](auto type) -> void {
            using stored = decltype(type);
            if constexpr (std::integral<T> && std::floating_point<stored>) {
                fail(where(), ": descr: '", dtype, "': expected whole numbers");
            } else {
                for (std::size_t i = 0; i < out.size(); ++i) {
                    stored value;
                    std::memcpy(&value, values_.data() + (first + i) * sizeof value, sizeof value);
                    if constexpr (std::integral<T>)
                        require(std::in_range<T>(value), where(), ": value ", first + i, " is ", value, ": out of the range expected");
                    out[i] = static_cast<T>(value);
                }
            }
        });
    }

    /// Whether the values are whole numbers.
    bool whole() const { return dtype[1] != 'f'; }

private:
    std::string where() const { return file_.path().string(); }

    /// Calls `use` with a zero of the stored type.
    template <class Use>
    std::invoke_result_t<Use, float> with_type(Use&& use) const {
        if (dtype == "<f4") return use(float{});
        if (dtype == "<f8") return use(double{});
        if (dtype == "<i4") return use(std::int32_t{});
        if (dtype == "<i8") return use(std::int64_t{});
        if (dtype == "<u2") return use(std::uint16_t{});
        if (dtype == "<u4") return use(std::uint32_t{});
        fail(where(), ": descr: '", dtype, "': expected one of <f4, <f8, <i4, <i8, <u2, <u4");
    }

    /// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, the keys in any order.
    void read_header(std::string_view rest) {
        auto const skip = [&] { rest.remove_prefix(std::min(rest.find_first_not_of(" \n\t"), rest.size())); };
        auto const accept = [&](std::string_view word) {
            skip();
            bool const there = rest.starts_with(word);
            if (there) rest.remove_prefix(word.size());
            return there;
        };
        auto const quoted = [&](std::string_view what) {
            require(accept("'"), where(), ": header: ", what, ": expected a text in single quotes");
            auto const end = rest.find('\'');
            require(end != rest.npos, where(), ": header: ", what, ": the closing quote is missing");
            std::string out(rest.substr(0, end));
            rest.remove_prefix(end + 1);
            return out;
        };
        bool order_seen = false, shape_seen = false;
        require(accept("{"), where(), ": header: expected a dict");
        while (!accept("}")) {
            auto const key = quoted("key");
            require(accept(":"), where(), ": header: ", key, ": expected a colon");
            if (key == "descr") {
                dtype = quoted("descr");
            } else if (key == "fortran_order") {
                order_seen = true;
                require(accept("False"), where(), ": fortran_order: expected False (C order)");
            } else if (key == "shape") {
                shape_seen = true;
                require(accept("("), where(), ": shape: expected a tuple");
                while (!accept(")")) {
                    index_t n = 0;
                    auto const [end, problem] = std::from_chars(rest.data(), rest.data() + rest.size(), n);
                    require(problem == std::errc{} && n >= 0, where(), ": shape: expected whole numbers, not negative");
                    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
                    shape.push_back(n);
                    require(accept(",") || rest.starts_with(')'), where(), ": shape: expected a comma or a closing parenthesis");
                }
            } else {
                fail(where(), ": header: '", key, "': expected descr, fortran_order or shape");
            }
            require(accept(",") || rest.starts_with('}'), where(), ": header: expected a comma or a closing brace");
        }
        require(!dtype.empty(), where(), ": header: descr is missing");
        require(order_seen, where(), ": header: fortran_order is missing");
        require(shape_seen, where(), ": header: shape is missing");
    }

    mapped_file file_;
    std::span<std::byte const> values_;
};

/// Writes values of float, double or std::int64_t under `shape`, atomically.
/// \throws error when the shape is not of that many values, or the file cannot be written
template <std::ranges::contiguous_range Values>
void write_npy(std::filesystem::path const& path, std::vector<index_t> const& shape, Values&& values) {
    using T = std::remove_cv_t<std::ranges::range_value_t<Values>>;
    static_assert(std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, std::int64_t>,
                  "write_npy: values of float, double or std::int64_t");
    auto const bytes = std::as_bytes(std::span<T const>(std::ranges::data(values), std::ranges::size(values)));
    index_t count = 1;
    std::string dims;
    for (index_t n : shape) {
        require(n >= 0, path.string(), ": shape: ", n, ": expected no negative dimension");
        count *= n;
        dims += text(n, ", ");  // (3, ) is a tuple of one
    }
    require(count == static_cast<index_t>(bytes.size() / sizeof(T)), path.string(), ": the shape is of ", count, " values, expected ",
            bytes.size() / sizeof(T));
    constexpr char const* descr = std::same_as<T, float> ? "<f4" : std::same_as<T, double> ? "<f8" : "<i8";
    std::string header = text("{'descr': '", descr, "', 'fortran_order': False, 'shape': (", dims, "), }");
    header.append(63 - (10 + header.size()) % 64, ' ');  // the values begin on a multiple of 64 bytes, after a newline
    header += '\n';
    auto const length = static_cast<std::uint16_t>(header.size());
    write_atomically(path, [&](std::ostream& out) {
        out.write("\x93NUMPY\x01\x00", 8).write(reinterpret_cast<char const*>(&length), 2) << header;
        out.write(reinterpret_cast<char const*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    });
}

/// Writes a view under its own shape.
template <class T, std::size_t N>
void write_npy(std::filesystem::path const& path, view<T, N> values) {
    write_npy(path, std::vector<index_t>(values.shape().begin(), values.shape().end()), std::span<T>(values));
}

}  // namespace attnlab
