#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <attnlab/core/bfloat16.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/io/file.hpp>

/// \file
/// A tensor where it lies in a mapped file: read in pieces, converted on the way, its pages given back when it is done with.

namespace attnlab {

/// How numbers lie in a file.
enum class dtype : std::uint8_t {
    f64, f32, f16, bf16, i64, i32, i16, i8, u64, u32, u16, u8, boolean, c64,
    f8_e4m3, f8_e5m2, f8_e8m0, f8_e4m3fnuz, f8_e5m2fnuz, f6_e2m3, f6_e3m2, f4
};

struct dtype_info {
    std::string_view name;  ///< as safetensors spells it
    unsigned bits;
};

/// The types of safetensors, in the order of `dtype`.
inline constexpr std::array<dtype_info, 22> dtypes{{
    {"F64", 64}, {"F32", 32}, {"F16", 16}, {"BF16", 16}, {"I64", 64}, {"I32", 32}, {"I16", 16}, {"I8", 8},
    {"U64", 64}, {"U32", 32}, {"U16", 16}, {"U8", 8}, {"BOOL", 8}, {"C64", 64},
    {"F8_E4M3", 8}, {"F8_E5M2", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F4", 4}}};

inline dtype_info about(dtype type) { return dtypes[static_cast<std::size_t>(type)]; }

/// The type of that name; none where the format has no such type.
inline std::optional<dtype> dtype_named(std::string_view name) {
    for (std::size_t i = 0; i < dtypes.size(); ++i)
        if (dtypes[i].name == name) return static_cast<dtype>(i);
    return {};
}

/// IEEE 754 binary16.
struct half {
    std::uint16_t bits = 0;

    /// Without a branch and without subnormal floats, so that a loop over it is vectorised: normal numbers by a change of the exponent's
    /// bias, subnormal ones (fraction * 2^-24) as the difference of two floats near 1/2.
    explicit operator float() const {
        std::uint32_t const sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16, magnitude = static_cast<std::uint32_t>(bits & 0x7fffu);
        float const normal = std::bit_cast<float>((magnitude << 13) + (224u << 23)) * 0x1p-112f;
        float const subnormal = std::bit_cast<float>(magnitude | 126u << 23) - 0.5f;
        // The difference of those floats is in steps of 2^-24, as it should be.
        return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude < 0x400u ? subnormal : normal));
    }
};

namespace detail {

template <class Stored, class T>
void convert_values(std::byte const* from, T* to, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        Stored value;
        std::memcpy(&value, from + i * sizeof(Stored), sizeof(Stored));  // perhaps not aligned
        if constexpr (std::same_as<Stored, half> || std::same_as<Stored, bfloat16>) to[i] = static_cast<float>(value);
        else to[i] = static_cast<T>(value);
    }
}

/// MXFP4 (OCP Microscaling Formats, version 1.0): 32 values of 4 bits (1 sign, 2 exponent, 1 fraction), the first in the low half of its
/// byte, times 2^(scale - 127); a scale of 255 is NaN. `first` is that of `from` and `scales`.
template <class T>
void convert_mxfp4(std::byte const* from, std::byte const* scales, T* to, std::size_t first, std::size_t count) {
    static constexpr float magnitudes[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
    constexpr std::size_t block = 32;
    for (std::size_t i = first; i < first + count;) {
        auto const exponent = std::to_integer<int>(scales[i / block]);
        float const scale = exponent == 255 ? std::numeric_limits<float>::quiet_NaN() : std::ldexp(1.0f, exponent - 127);
        float values[16];
        for (int v = 0; v < 8; ++v) values[v] = scale * magnitudes[v], values[v + 8] = -values[v];
        for (std::size_t const end = std::min(first + count, (i / block + 1) * block); i < end; ++i) {
            auto const both = std::to_integer<unsigned>(from[i / 2]);
            *to++ = static_cast<T>(values[i % 2 == 0 ? both & 15u : both >> 4]);
        }
    }
}

}  // namespace detail

/// (3, 4), as NumPy and PyTorch show a shape.
inline std::string shape_text(std::vector<index_t> const& shape) {
    std::vector<std::string> sizes;
    for (index_t n : shape) sizes.push_back(std::to_string(n));
    return text('(', joined(sizes), shape.size() == 1 ? ",)" : ")");
}

/// One tensor of a file. Cheap to copy; it keeps its file mapped.
struct stored_tensor {
    std::string name;
    dtype type = dtype::f32;
    std::vector<index_t> shape;
    std::span<std::byte const> bytes;                ///< the values where they are mapped; little-endian, perhaps not aligned
    std::shared_ptr<mapped_file const> file = {};    ///< none: the bytes are memory that somebody else keeps
    std::shared_ptr<stored_tensor const> scales = {};   ///< of MXFP4, a type F4: one for each 32 values, perhaps in another file

    /// Number of values.
    index_t size() const {
        index_t count = 1;
        for (index_t n : shape) count *= n;
        return count;
    }

    /// The values themselves, where they lie as a T and aligned as one; empty otherwise, and then `read` copies them.
    template <class T>
        requires(std::same_as<T, float> || std::same_as<T, bfloat16> || std::same_as<T, double>)
    std::span<T const> in_place() const {
        constexpr dtype wanted = std::same_as<T, float> ? dtype::f32 : std::same_as<T, double> ? dtype::f64 : dtype::bf16;
        if (type != wanted || reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(T) != 0) return {};
        return {reinterpret_cast<T const*>(bytes.data()), bytes.size() / sizeof(T)};
    }

    /// Values first to first + count - 1 in C order: F16, BF16, F32, F64, MXFP4 as float or double; I64 as std::int64_t.
    /// \throws error that names file and tensor: there are not so many, or the type is none of these
    template <class T>
        requires(std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, std::int64_t>)
    void read(T* out, index_t first, index_t count) const {
        require(0 <= first && 0 <= count && first <= size() && count <= size() - first, where(), ": holds ", size(), " values, expected ",
                count, " from value ", first, " on");
        std::size_t const width = about(type).bits / 8, n = static_cast<std::size_t>(count);
        std::byte const* const from = bytes.data() + static_cast<std::size_t>(first) * width;
        if constexpr (std::same_as<T, std::int64_t>) {
            require(type == dtype::i64, where(), ": holds ", about(type).name, ", expected I64");
            detail::convert_values<std::int64_t>(from, out, n);
        } else {
            if (type == dtype::f32) detail::convert_values<float>(from, out, n);
            else if (type == dtype::bf16) detail::convert_values<bfloat16>(from, out, n);
            else if (type == dtype::f16) detail::convert_values<half>(from, out, n);
            else if (type == dtype::f64) detail::convert_values<double>(from, out, n);
            else if (type == dtype::f4 && scales) detail::convert_mxfp4(bytes.data(), scales->bytes.data(), out, static_cast<std::size_t>(first), n);
            else fail(where(), ": holds ", about(type).name, ", expected F64, F32, F16 or BF16");
        }
    }

    /// All values; `read` with the size checked. \throws error
    template <class T>
    void read(std::span<T> out) const {
        require(static_cast<index_t>(out.size()) == size(), where(), ": holds ", size(), " values, expected ", out.size());
        read(out.data(), 0, size());
    }

    /// Tells the system that the values will be read soon.
    void prefetch() const {
        if (file) file->prefetch(bytes);
        if (scales) scales->prefetch();
    }
    /// Gives the pages back: they no longer count as this process's memory, and are read again from the file when they are touched.
    void release() const {
        if (file) file->release(bytes);
        if (scales) scales->release();
    }

    /// `count` rows along the first axis, from `first` on.
    stored_tensor rows(index_t first, index_t count) const {
        auto out = *this;
        std::size_t const n = bytes.size() / static_cast<std::size_t>(shape.front());
        out.bytes = bytes.subspan(static_cast<std::size_t>(first) * n, static_cast<std::size_t>(count) * n);
        out.shape.front() = count;
        if (scales) out.scales = std::make_shared<stored_tensor const>(scales->rows(first, count));
        return out;
    }
    /// Part i along the first axis.
    stored_tensor slice(index_t i) const {
        auto out = rows(i, 1);
        out.shape.erase(out.shape.begin());
        if (scales) out.scales = std::make_shared<stored_tensor const>(scales->slice(i));
        return out;
    }

    /// How an error line begins that is about this tensor: file, tensor.
    std::string where() const { return text(file ? file->path().string() + ": " : "", "tensor '", name, "'"); }
};

}  // namespace attnlab
