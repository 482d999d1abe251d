#include <boost/test/unit_test.hpp>

#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/io/safetensors.hpp>

#include "folder.hpp"

using namespace attnlab;

BOOST_AUTO_TEST_SUITE(safetensors)

namespace {

/// A safetensors file of this header and so many zero bytes.
std::string file_of(std::string_view header, std::size_t data) {
    std::uint64_t const length = header.size();
    std::string out(8, '\0');
    std::memcpy(out.data(), &length, 8);
    return out.append(header).append(data, '\0');
}

std::string error_for(std::string_view header, std::size_t data) {
    folder f;
    auto const path = f.write("m.safetensors", file_of(header, data));
    auto const line = error_of([&] { safetensors_reader{path}; });
    BOOST_TEST(names(line, "m.safetensors"));
    return line;
}

template <class T>
std::vector<T> read(safetensors_reader const& file, std::string const& name, std::size_t count) {
    std::vector<T> out(count);
    file.copy_to<T>(name, out);
    return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(round_trip_is_bit_for_bit) {
    folder f;
    float const odd = std::bit_cast<float>(0x7FC12345u);  // a NaN with a payload
    std::vector<float> const a{1.5f, -0.0f, odd};
    std::vector<double> const b{0.1, std::numeric_limits<double>::denorm_min()};
    std::vector<std::int64_t> const c{std::numeric_limits<std::int64_t>::min(), 3};
    std::vector<float> const none;
    safetensors_writer w;
    w.add("a\"\\\xc3\xa9", {3, 1}, a);
    w.add("b", {2}, std::span(b));
    w.add("c", view<std::int64_t const, 2>{c.data(), {1, 2}});
    w.add("none", {0, 4}, none);
    w.add("scalar", {}, std::span(a).first(1));
    w.metadata["format"] = "pt";
    w.write(f / "x.safetensors");

    safetensors_reader const r(f / "x.safetensors");
    BOOST_TEST(r.tensors().size() == 5u);
    BOOST_TEST(r.metadata().at("format") == "pt");
    BOOST_TEST(std::memcmp(r.at("a\"\\\xc3\xa9").bytes.data(), a.data(), 12) == 0);
    BOOST_TEST(std::bit_cast<std::uint32_t>(read<float>(r, "a\"\\\xc3\xa9", 3)[2]) == 0x7FC12345u);
    BOOST_TEST(read<double>(r, "b", 2) == b, boost::test_tools::per_element());
    BOOST_TEST(read<std::int64_t>(r, "c", 2) == c, boost::test_tools::per_element());
    BOOST_TEST(r.at("c").shape == (std::vector<attnlab::index_t>{1, 2}), boost::test_tools::per_element());
    BOOST_TEST(r.at("none").bytes.empty());
    BOOST_TEST(r.at("scalar").shape.empty());
    for (auto const& t : r.tensors()) BOOST_TEST(reinterpret_cast<std::uintptr_t>(t.bytes.data()) % (t.type == dtype::f32 ? 4 : 8) == 0u);

    std::vector<float> narrow(2);
    r.copy_to("b", std::span(narrow));
    BOOST_TEST(narrow[0] == 0.1f);
}

BOOST_AUTO_TEST_CASE(half_types_and_offsets_out_of_order_are_read) {
    folder f;
    // "h" comes first in the header and second in the file.
    auto bytes = file_of(R"({"h":{"dtype":"F16","shape":[2],"data_offsets":[2,6]},"b":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}  )", 0);
    bytes += std::string("\x80\x3f\x00\x3c\x00\xc0", 6);
    safetensors_reader const r(f.write("h.safetensors", bytes));
    BOOST_TEST(r.tensors()[0].name == "b");
    BOOST_TEST(read<float>(r, "b", 1)[0] == 1.0f);
    BOOST_TEST(read<double>(r, "h", 2) == (std::vector<double>{1, -2}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(requests_that_cannot_be_met_name_the_tensor) {
    folder f;
    auto const path = f.write("m.safetensors", file_of(R"({"i":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"u":{"dtype":"U8","shape":[2],"data_offsets":[8,10]}})", 10));
    safetensors_reader const r(path);
    BOOST_TEST(names(error_of([&] { read<float>(r, "w", 1); }), "m.safetensors", "'w'"));
    BOOST_TEST(names(error_of([&] { read<std::int64_t>(r, "i", 2); }), "'i'", "holds 1", "expected 2"));
    BOOST_TEST(names(error_of([&] { read<float>(r, "i", 1); }), "'i'", "I64"));
    BOOST_TEST(names(error_of([&] { read<double>(r, "u", 2); }), "'u'", "U8"));
    BOOST_TEST(names(error_of([&] { read<std::int64_t>(r, "u", 2); }), "'u'", "I64"));
}

BOOST_AUTO_TEST_CASE(broken_files_are_refused) {
    folder f;
    BOOST_TEST(names(error_of([&] { safetensors_reader{f.write("short", "abc")}; }), "short", "8 bytes"));
    BOOST_TEST(names(error_of([&] { safetensors_reader{f.write("huge", std::string(16, '\xff'))}; }), "huge", "header", "100000000"));
    BOOST_TEST(names(error_of([&] { safetensors_reader{f.write("cut", file_of("{}", 0).substr(0, 9))}; }), "cut", "header"));
    BOOST_TEST(names(error_for("{\"a\":", 0), "line 1"));
    BOOST_TEST(names(error_for("[]", 0), "object"));
    BOOST_TEST(names(error_for("{\"w\":" + std::string(100, '['), 0), "nested"));
    BOOST_TEST(names(error_for(R"({"__metadata__":{"a":1}})", 0), "__metadata__", "'a'"));
    BOOST_TEST(names(error_for("{}", 4), "4 bytes after"));
    // A header is as long as it says, but not one entry of it: the numbers of this one would take 16 bytes each.
    std::string many = R"({"w":{"dtype":"F32","shape":[0)";
    for (int i = 0; i < 200'000; ++i) many += ",0";
    BOOST_TEST(names(error_for(many + R"(],"data_offsets":[0,0]}})", 0), "'w'", "at most 100000"));

    auto const entry = [](std::string const& name, std::string const& dtype, std::string const& shape, std::string const& offsets) {
        return "\"" + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
    };
    auto const one = [&](std::string const& dtype, std::string const& shape, std::string const& offsets, std::size_t data) {
        return error_for("{" + entry("w", dtype, shape, offsets) + "}", data);
    };
    BOOST_TEST(names(one("F33", "[1]", "[0,4]", 4), "'w'", "F33", "expected one of"));
    BOOST_TEST(names(one("F32", "[-1]", "[0,4]", 4), "'w'", "-1"));
    BOOST_TEST(names(one("F32", "[1.5]", "[0,4]", 4), "'w'", "shape"));
    BOOST_TEST(names(one("F32", "[18446744073709551615]", "[0,4]", 4), "'w'", "shape"));
    BOOST_TEST(names(one("F32", "[4611686018427387904,4]", "[0,0]", 0), "'w'", "shape"));
    BOOST_TEST(names(one("F32", "[2]", "[0,4]", 4), "'w'", "holds 4 bytes, expected 8"));
    BOOST_TEST(names(one("F32", "[1]", "[4,0]", 4), "'w'", "data_offsets"));
    BOOST_TEST(names(one("F32", "[1]", "[0,4,4]", 4), "'w'", "data_offsets"));
    BOOST_TEST(names(one("F32", "[1]", "[-4,0]", 4), "'w'", "data_offsets"));
    BOOST_TEST(names(one("F32", "[1]", "[0,4]", 3), "'w'", "end at 3"));
    BOOST_TEST(names(one("F32", "[1]", "[4,8]", 8), "'w'", "no tensor"));
    BOOST_TEST(names(one("F32", "[1]", "[0,4]", 8), "4 bytes after"));
    BOOST_TEST(names(error_for(R"({"w":{"dtype":"F32","shape":[1]}})", 4), "'w'", "data_offsets", "missing"));
    BOOST_TEST(names(error_for(R"({"w":7})", 4), "'w'", "dtype"));
    BOOST_TEST(names(error_for("{" + entry("w", "F32", "[2]", "[0,8]") + "," + entry("v", "F32", "[2]", "[4,12]") + "}", 12), "'v'", "shares bytes"));
    BOOST_TEST(names(error_for("{" + entry("w", "F32", "[1]", "[0,4]") + "," + entry("w", "F32", "[1]", "[4,8]") + "}", 8), "'w'", "twice"));
    BOOST_TEST(names(error_for("{" + entry("w", "F32", "[1]", "[0,4]") + "," + entry("v", "F32", "[1]", "[8,12]") + "}", 12), "'v'", "no tensor"));
}

BOOST_AUTO_TEST_CASE(cut_anywhere_a_file_is_refused) {
    folder f;
    std::vector<float> const a{1, 2, 3};
    safetensors_writer w;
    w.add("a", {3}, a);
    w.write(f / "good");
    auto const bytes = read_text(f / "good");
    for (std::size_t n = 0; n < bytes.size(); ++n)
        BOOST_CHECK_THROW(safetensors_reader(f.write("cut", std::string_view(bytes).substr(0, n))), error);
    // One byte changed anywhere: an error or a sound file, never anything else.
    for (std::size_t n = 0; n < bytes.size(); ++n)
        for (int flip : {1, 8, 0x80}) {
            auto broken = bytes;
            broken[n] = static_cast<char>(broken[n] ^ flip);
            try {
                safetensors_reader const r(f.write("flip", broken));
                for (auto const& t : r.tensors()) BOOST_TEST(t.bytes.size() <= 12u);
            } catch (error const& e) {
                BOOST_TEST(names(e.what(), "flip"));
            }
        }
}

BOOST_AUTO_TEST_CASE(the_writer_refuses_what_no_file_may_hold) {
    folder f;
    std::vector<float> const a{1, 2, 3};
    safetensors_writer w;
    w.add("a", {3}, a);
    BOOST_TEST(names(error_of([&] { w.add("a", {3}, a); }), "'a'", "twice"));
    BOOST_TEST(names(error_of([&] { w.add("b", {2, 2}, a); }), "'b'", "4 values", "expected 3"));
    BOOST_TEST(names(error_of([&] { w.add("b", {-1, -3}, a); }), "'b'", "-1"));
    BOOST_TEST(names(error_of([&] { w.add("__metadata__", {3}, a); }), "__metadata__"));
    w.add("\xff", {3}, a);
    BOOST_TEST(names(error_of([&] { w.write(f / "x"); }), "/x", "UTF-8"));
    BOOST_TEST(f.count() == 0u);
}

BOOST_AUTO_TEST_CASE(fixtures_are_read_and_broken_ones_refused) {
    char const* const root = std::getenv("ATTNLAB_FIXTURES");
    if (root == nullptr) return;
    folder f;
    int sound = 0, broken = 0;
    for (auto const& entry : std::filesystem::recursive_directory_iterator(root)) {
        auto const path = entry.path();
        if (path.extension() != ".safetensors") continue;
        auto const stem = path.parent_path().parent_path().filename().string();
        bool const bad = stem == "st_bad_dtype" || stem == "st_header_beyond_file" || stem == "st_negative_shape" ||
                         stem == "st_overlap" || stem == "st_truncated";
        if (bad) {
            auto const line = error_of([&] { safetensors_reader{path}; });
            auto const expected = parse_json(path.parent_path().parent_path() / "case.json");
            for (auto const& word : field<std::vector<std::string>>(expected, stem, "message_names")) BOOST_TEST(names(line, word));
            ++broken;
            continue;
        }
        safetensors_reader const r(path);
        safetensors_writer w;
        std::vector<std::vector<double>> doubles;
        std::vector<std::vector<float>> floats;
        std::vector<std::vector<std::int64_t>> wholes;
        auto const copy = [&](auto& kept, stored_tensor const& t, std::size_t width) {
            auto& values = kept.emplace_back(t.bytes.size() / width);
            r.copy_to(t.name, std::span(values));
            w.add(t.name, t.shape, std::span(values));
        };
        for (auto const& t : r.tensors()) {
            if (t.type == dtype::f64) copy(doubles, t, 8);
            else if (t.type == dtype::i64) copy(wholes, t, 8);
            else copy(floats, t, t.type == dtype::f32 ? 4 : 2);
        }
        w.write(f / "again.safetensors");
        safetensors_reader const again(f / "again.safetensors");
        BOOST_TEST(again.tensors().size() == r.tensors().size());
        for (auto const& t : r.tensors())
            if (t.type == dtype::f32 || t.type == dtype::f64 || t.type == dtype::i64)
                BOOST_TEST((std::ranges::equal(t.bytes, again.at(t.name).bytes)), path.string() << ": " << t.name);
        ++sound;
    }
    BOOST_TEST(sound > 0);
    BOOST_TEST_MESSAGE(sound << " sound files, " << broken << " broken ones");
}

BOOST_AUTO_TEST_SUITE_END()
