#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include <attnlab/io/file.hpp>
#include <attnlab/io/fingerprint.hpp>

#include "folder.hpp"

using namespace attnlab;

BOOST_AUTO_TEST_SUITE(file)

BOOST_AUTO_TEST_CASE(what_is_written_is_read_back) {
    folder f;
    std::string const bytes("one\0two\n", 8);
    write_atomically(f / "a", [&](std::ostream& out) { out << bytes; });
    BOOST_TEST(read_text(f / "a") == bytes);
    write_atomically(f / "a", [](std::ostream& out) { out << "new"; });
    BOOST_TEST(read_text(f / "a") == "new");
    BOOST_TEST(f.count() == 1u);
}

BOOST_AUTO_TEST_CASE(a_failed_write_leaves_the_old_file_and_nothing_else) {
    folder f;
    f.write("a", "old");
    BOOST_CHECK_THROW(write_atomically(f / "a", [](std::ostream& out) { out << "half"; throw std::runtime_error("stop"); }),
                      std::runtime_error);
    BOOST_TEST(names(error_of([&] { write_atomically(f / "a", [](std::ostream& out) { out.setstate(std::ios::badbit); }); }), "/a: "));
    BOOST_TEST(read_text(f / "a") == "old");
    BOOST_TEST(f.count() == 1u);
}

BOOST_AUTO_TEST_CASE(errors_name_the_path) {
    folder f;
    auto const nothing = [](std::ostream&) {};
    BOOST_TEST(names(error_of([&] { write_atomically(f / "no/such", nothing); }), "no/such", "No such file"));
    BOOST_TEST(names(error_of([&] { write_atomically(f.path, nothing); }), f.path.string(), "expected a plain file"));
    BOOST_TEST(names(error_of([&] { write_atomically("/dev/null", nothing); }), "/dev/null"));
    BOOST_TEST(!std::filesystem::is_regular_file("/dev/null"));
    BOOST_TEST(names(error_of([&] { read_text(f / "none"); }), "none", "No such file"));
    BOOST_TEST(names(error_of([&] { read_text(f.path); }), f.path.string(), "directory"));
    BOOST_TEST(names(error_of([&] { mapped_file{f / "none"}; }), "none", "No such file"));
    BOOST_TEST(names(error_of([&] { mapped_file{f.path}; }), f.path.string(), "plain file"));
}

BOOST_AUTO_TEST_CASE(a_map_moves_and_may_be_empty) {
    folder f;
    mapped_file a(f.write("a", "abc")), empty(f.write("e", ""));
    BOOST_TEST(empty.size() == 0u);
    mapped_file b(std::move(a));
    BOOST_TEST(b.size() == 3u);
    BOOST_TEST(static_cast<char>(b.bytes()[2]) == 'c');
    empty = std::move(b);
    BOOST_TEST(empty.size() == 3u);
    BOOST_TEST(empty.path().filename().string() == "a");
}

BOOST_AUTO_TEST_CASE(a_fingerprint_is_of_the_bytes) {
    folder f;
    f.write("a", "foobar"), f.write("empty", "");
    BOOST_TEST(fingerprint(f / "a") == "6 bytes, FNV-1a 85944171f73967e8");   // a test vector of RFC 9923
    BOOST_TEST(fingerprint(f / "empty") == "0 bytes, FNV-1a cbf29ce484222325");
    BOOST_TEST(fingerprint(f / "none") == "");
}

BOOST_AUTO_TEST_CASE(long_files_are_read_whole) {
    folder f;
    std::string bytes(200'001, 'x');
    bytes.back() = 'y';
    BOOST_TEST((read_text(f.write("long", bytes)) == bytes));
}

BOOST_AUTO_TEST_SUITE_END()
