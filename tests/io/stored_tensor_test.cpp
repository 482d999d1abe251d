#include <boost/test/unit_test.hpp>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include <attnlab/io/safetensors.hpp>
#include <attnlab/io/stored_tensor.hpp>

#include "folder.hpp"

using namespace attnlab;

BOOST_AUTO_TEST_SUITE(stored_tensors)

namespace {

/// A file of one tensor; `pad` more spaces in the header move the values.
std::string file_of(std::string const& entry, std::string const& values, std::size_t pad = 0) {
    auto const header = "{\"w\":" + entry + "}" + std::string(pad, ' ');
    std::uint64_t const length = header.size();
    std::string out(8, '\0');
    std::memcpy(out.data(), &length, 8);
    return out + header + values;
}

template <class T>
std::string bytes_of(std::vector<T> const& values) {
    return {reinterpret_cast<char const*>(values.data()), values.size() * sizeof(T)};
}

/// Resident kilobytes of mapped files.
long resident() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;)
        if (word == "RssFile:") {
            long kilobytes = 0;
            status >> kilobytes;
            return kilobytes;
        }
    return -1;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_half_number_is_widened) {
    // Against the definition: (-1)^s 2^(e-15) (1 + f/1024), subnormal (-1)^s 2^-14 f/1024.
    for (unsigned bits = 0; bits < 65536; ++bits) {
        float const value = static_cast<float>(half{static_cast<std::uint16_t>(bits)});
        int const exponent = static_cast<int>(bits >> 10 & 31), fraction = static_cast<int>(bits & 1023);
        double expected = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
        if (exponent == 31) expected = fraction == 0 ? std::numeric_limits<double>::infinity() : std::nan("");
        if (bits & 0x8000) expected = -expected;
        bool const same = std::isnan(expected) ? std::isnan(value) : value == expected && std::signbit(value) == std::signbit(expected);
        BOOST_REQUIRE_MESSAGE(same, bits << " reads " << value << ", expected " << expected);
    }
}

BOOST_AUTO_TEST_CASE(values_are_read_in_pieces_wherever_they_lie) {
    folder f;
    std::vector<float> const values{1, -2, 3.5f, 0, 5, -6};
    bool aligned = false, shifted = false;
    for (std::size_t pad = 0; pad < 4; ++pad) {
        safetensors_reader const r(f.write("m" + std::to_string(pad), file_of(R"({"dtype":"F32","shape":[2,3],"data_offsets":[0,24]})", bytes_of(values), pad)));
        auto const& w = r.at("w");
        std::vector<float> piece(3);
        w.read(piece.data(), 2, 3);
        BOOST_TEST(piece == (std::vector<float>{3.5f, 0, 5}), boost::test_tools::per_element());
        auto const place = w.in_place<float>();
        BOOST_TEST((place.empty() || place.size() == 6u));
        BOOST_TEST(w.in_place<double>().empty());
        (place.empty() ? shifted : aligned) = true;
        w.read(piece.data(), 6, 0);
        for (auto const& [first, count] : {std::pair{4, 3}, {-1, 1}, {7, 0}, {0, -1}})
            BOOST_TEST(names(error_of([&] { w.read(piece.data(), first, count); }), "m" + std::to_string(pad), "'w'", "holds 6"));
    }
    BOOST_TEST(aligned);
    BOOST_TEST(shifted);
}

BOOST_AUTO_TEST_CASE(types_are_converted) {
    folder f;
    auto const read = [&](std::string const& type, std::string const& values, std::size_t n) {
        auto const entry = R"({"dtype":")" + type + R"(","shape":[)" + std::to_string(n) + R"(],"data_offsets":[0,)" + std::to_string(values.size()) + "]}";
        safetensors_reader const r(f.write(type, file_of(entry, values)));
        std::vector<float> out(n);
        r.at("w").read(std::span(out));
        return out;
    };
    BOOST_TEST(read("BF16", bytes_of(std::vector<std::uint16_t>{0x3F80, 0xC020}), 2) == (std::vector<float>{1, -2.5f}), boost::test_tools::per_element());
    BOOST_TEST(read("F16", bytes_of(std::vector<std::uint16_t>{0x3C00, 0xC000}), 2) == (std::vector<float>{1, -2}), boost::test_tools::per_element());
    BOOST_TEST(read("F64", bytes_of(std::vector<double>{0.1, -3}), 2) == (std::vector<float>{0.1f, -3}), boost::test_tools::per_element());
    BOOST_TEST(names(error_of([&] { read("F8_E4M3", "ab", 2); }), "F8_E4M3", "expected F64"));
    BOOST_TEST(names(error_of([&] { read("F4", "a", 3); }), "whole bytes"));
    BOOST_TEST(names(error_of([&] { read("F4", "a", 2); }), "holds F4"));
}

BOOST_AUTO_TEST_CASE(microscaled_values_of_four_bits) {
    // Two rows of 64 values: nibble n is value n, low half first; scales 2^0, 2^-3, 2^10, NaN.
    std::vector<std::uint8_t> blocks(64);
    for (std::size_t i = 0; i < blocks.size(); ++i) blocks[i] = static_cast<std::uint8_t>((2 * i) % 16 | ((2 * i + 1) % 16) << 4);
    std::vector<std::uint8_t> const scales{127, 124, 137, 255};
    stored_tensor t{"w", dtype::f4, {2, 64}, std::as_bytes(std::span(blocks))};
    std::vector<float> out(128);
    BOOST_TEST(names(error_of([&] { t.read(std::span(out)); }), "holds F4"));  // without scales there are no values
    t.scales = std::make_shared<stored_tensor const>(stored_tensor{"s", dtype::u8, {2, 2}, std::as_bytes(std::span(scales))});
    t.read(std::span(out));
    float const expected[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6, 0, -0.5f, -1, -1.5f, -2, -3, -4, -6};
    float const scale[] = {1, 0.125f, 1024};
    for (std::size_t i = 0; i < 96; ++i) BOOST_TEST(out[i] == expected[i % 16] * scale[i / 32]);
    for (std::size_t i = 96; i < 128; ++i) BOOST_TEST(std::isnan(out[i]));
    std::vector<float> piece(40);
    t.read(piece.data(), 21, 40);
    for (std::size_t i = 0; i < 40; ++i) BOOST_TEST(piece[i] == out[21 + i]);
    auto const row = t.slice(1);
    BOOST_TEST(row.shape == std::vector<attnlab::index_t>{64}, boost::test_tools::per_element());
    row.read(piece.data(), 0, 32);
    for (std::size_t i = 0; i < 32; ++i) BOOST_TEST(piece[i] == out[64 + i]);
}

BOOST_AUTO_TEST_CASE(a_tensor_keeps_its_file_and_gives_pages_back) {
    folder f;
    index_t const n = 4 << 20;
    std::vector<float> const values(static_cast<std::size_t>(n), 1.5f);
    safetensors_writer w;
    w.add("before", {1}, std::span(values).first(1));
    w.add("w", {n}, values);
    w.write(f / "m");
    auto const tensor = safetensors_reader(f / "m").at("w");  // the reader is gone
    tensor.prefetch();
    auto const sum = [&] {
        std::vector<float> row(1 << 16);
        double total = 0;
        for (index_t i = 0; i < n; i += 1 << 16) {
            tensor.read(row.data(), i, 1 << 16);
            for (float v : row) total += static_cast<double>(v);
        }
        return total;
    };
    long const start = resident();
    BOOST_TEST(sum() == 1.5 * static_cast<double>(n));
    long const touched = resident();
    tensor.release();
    long const released = resident();
    BOOST_TEST(touched - start > 12'000);
    BOOST_TEST(released - start < 4'000);
    BOOST_TEST(sum() == 1.5 * static_cast<double>(n));
    stored_tensor const memory{"m", dtype::f32, {n}, std::as_bytes(std::span(values))};
    memory.release();  // no file: left alone
    BOOST_TEST(values[0] == 1.5f);
}

BOOST_AUTO_TEST_SUITE_END()
