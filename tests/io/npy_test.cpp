#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <attnlab/io/npy.hpp>

#include "folder.hpp"

using namespace attnlab;

BOOST_AUTO_TEST_SUITE(npy)

namespace {

std::string file_of(std::string const& header, std::string const& data, char version = 1) {
    std::string out = std::string("\x93NUMPY") + version + '\0';
    for (int i = 0; i < (version == 1 ? 2 : 4); ++i) out += static_cast<char>(header.size() >> 8 * i & 255);
    return out + header + data;
}

std::string error_for(std::string const& bytes) {
    folder f;
    auto const path = f.write("x.npy", bytes);
    auto const line = error_of([&] { npy_array{path}; });
    BOOST_TEST(names(line, "x.npy"));
    return line;
}

std::string header_of(std::string const& descr, std::string const& shape, std::string const& order = "False") {
    return "{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

}  // namespace

BOOST_AUTO_TEST_CASE(round_trip) {
    folder f;
    std::vector<double> const d{0.1, -2, 3e300, 0, 5, 6};
    std::vector<float> const s{1.5f};
    std::vector<std::int64_t> const i{-1, 1ll << 40};
    write_npy(f / "d.npy", {2, 3}, d);
    write_npy(f / "s.npy", {}, s);
    write_npy(f / "i.npy", view<std::int64_t const, 1>{i.data(), {2}});
    npy_array const a(f / "d.npy"), b(f / "s.npy"), c(f / "i.npy");
    BOOST_TEST(a.shape == (std::vector<attnlab::index_t>{2, 3}), boost::test_tools::per_element());
    BOOST_TEST(a.dtype == "<f8");
    BOOST_TEST(a.as<double>() == d, boost::test_tools::per_element());
    BOOST_TEST(b.shape.empty());
    BOOST_TEST(b.as<double>().at(0) == 1.5);
    BOOST_TEST(c.as<std::int64_t>() == i, boost::test_tools::per_element());
    auto const bytes = read_text(f / "d.npy");
    BOOST_TEST((bytes.size() - 48) % 64 == 0u);  // the values begin on a line
    BOOST_TEST(names(read_text(f / "i.npy"), "'shape': (2, )"));
    BOOST_TEST(names(error_of([&] { write_npy(f / "w.npy", {4}, d); }), "w.npy", "4 values", "expected 6"));
    BOOST_TEST(names(error_of([&] { write_npy(f / "w.npy", {-2, -3}, d); }), "w.npy", "-2"));
}

BOOST_AUTO_TEST_CASE(every_type_and_both_versions) {
    folder f;
    auto const first = [&](std::string const& descr, std::string const& data, char version) {
        return npy_array(f.write(text("x.npy", f.count()), file_of(header_of(descr, "(1,)"), data, version)));
    };
    BOOST_TEST(first("'<u2'", "\xff\xff", 1).as<int>().at(0) == 65535);
    BOOST_TEST(first("'<u4'", "\xff\xff\xff\xff", 2).as<attnlab::index_t>().at(0) == 4294967295);
    BOOST_TEST(first("'<i4'", "\xff\xff\xff\xff", 2).as<double>().at(0) == -1);
    BOOST_TEST(first("'<i8'", std::string("\x02\0\0\0\0\0\0\0", 8), 1).as<std::uint16_t>().at(0) == 2);
    BOOST_TEST(first("'<f4'", std::string("\0\0\x80\x3f", 4), 1).as<float>().at(0) == 1);
    npy_array const negative = first("'<i4'", "\xff\xff\xff\xff", 1), fraction = first("'<f4'", std::string(4, '\0'), 1);
    BOOST_TEST(names(error_of([&] { negative.as<std::uint32_t>(); }), "x.npy", "value 0 is -1"));
    BOOST_TEST(names(error_of([&] { fraction.as<int>(); }), "x.npy", "<f4", "whole numbers"));
    npy_array const empty(f.write("e.npy", file_of("{'shape':(0,3),'fortran_order':False,'descr':'<f8'}", "")));
    BOOST_TEST(empty.as<double>().empty());
}

BOOST_AUTO_TEST_CASE(broken_files_are_refused) {
    BOOST_TEST(names(error_for("PK\x03\x04 something else"), ".npy file"));
    BOOST_TEST(names(error_for(""), ".npy file"));
    BOOST_TEST(names(error_for(file_of(header_of("'<f4'", "(1,)"), "abcd", 3)), "version 3.0"));
    BOOST_TEST(names(error_for(file_of(header_of("'<f4'", "(1,)"), "").substr(0, 30)), "header"));
    BOOST_TEST(names(error_for(std::string("\x93NUMPY\2\0\1\0", 10)), "header"));
    BOOST_TEST(names(error_for(file_of(header_of("'>f4'", "(1,)"), "abcd")), "descr", ">f4"));
    BOOST_TEST(names(error_for(file_of(header_of("[('a', '<f4')]", "(1,)"), "abcd")), "descr"));
    BOOST_TEST(names(error_for(file_of(header_of("'<f4'", "(1,)", "True"), "abcd")), "fortran_order"));
    BOOST_TEST(names(error_for(file_of(header_of("'<f4'", "(2,)"), "abcd")), "shape", "8 bytes", "found 4"));
    BOOST_TEST(names(error_for(file_of(header_of("'<f4'", "(1,)"), "abcdefgh")), "shape"));
    BOOST_TEST(names(error_for(file_of(header_of("'<f4'", "(-1,)"), "abcd")), "shape"));
    BOOST_TEST(names(error_for(file_of(header_of("'<f4'", "(1 2)"), "abcdefgh")), "shape"));
    BOOST_TEST(names(error_for(file_of(header_of("'<f4'", "(99999999999999999999,)"), "abcd")), "shape"));
    BOOST_TEST(names(error_for(file_of(header_of("'<f4'", "(4611686018427387904, 8)"), "abcd")), "shape"));
    BOOST_TEST(names(error_for(file_of("{'descr': '<f4', 'shape': (1,)}", "abcd")), "fortran_order", "missing"));
    BOOST_TEST(names(error_for(file_of("{'descr': '<f4', 'fortran_order': False}", "abcd")), "shape", "missing"));
    BOOST_TEST(names(error_for(file_of("{}", "abcd")), "descr", "missing"));
    BOOST_TEST(names(error_for(file_of("{'extra': 1}", "")), "extra"));
    BOOST_TEST(names(error_for(file_of("{'descr", "")), "quote"));
    BOOST_TEST(names(error_for(file_of("{'shape': (", "")), "shape"));
}

BOOST_AUTO_TEST_CASE(fixtures_are_read) {
    char const* const root = std::getenv("ATTNLAB_FIXTURES");
    if (root == nullptr) return;
    int read = 0;
    for (auto const& entry : std::filesystem::recursive_directory_iterator(root)) {
        if (entry.path().extension() != ".npy") continue;
        npy_array const a(entry.path());
        if (a.dtype == "<i8") BOOST_TEST(a.as<std::int64_t>().size() == a.size());
        else BOOST_TEST(a.as<double>().size() == a.size());
        ++read;
    }
    BOOST_TEST(read > 0);
}

BOOST_AUTO_TEST_SUITE_END()
