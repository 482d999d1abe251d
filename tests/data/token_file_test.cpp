#include <attnlab/data/token_file.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "data/support.hpp"

BOOST_AUTO_TEST_SUITE(token_file)

using namespace attnlab;
using attnlab::test::folder, attnlab::test::says;

namespace {

std::vector<token> contents(token_array const& array) {
    std::vector<token> out;
    for (index_t i = 0; i < array.size(); ++i) out.push_back(array[i]);
    return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(file_is_sixteen_bits_little_endian) {
    folder const here;
    save_bin(here.path / "train.bin", std::vector<token>{1, 258, 65535});
    BOOST_TEST(read_text(here.path / "train.bin") == std::string("\x01\x00\x02\x01\xff\xff", 6));
    auto const read = load_bin(here.with("val.bin", std::string("\x02\x01\x00\x80", 4)), 65536);
    BOOST_TEST(contents(read) == (std::vector<token>{258, 32768}), boost::test_tools::per_element());
    BOOST_TEST(read.name().find("val.bin") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(file_comes_back_as_it_was_written) {
    folder const here;
    std::vector<token> numbers;
    for (token i = 0; i < 70000; ++i) numbers.push_back(i * 7919 % 50257);
    save_bin(here.path / "train.bin", numbers);
    BOOST_TEST(contents(load_bin(here.path / "train.bin", 50257)) == numbers);
}

BOOST_AUTO_TEST_CASE(wrong_files_are_named) {
    folder const here;
    says([&] { load_bin(here.path / "none.bin", 10); }, {"none.bin", "cannot be read"});
    says([&] { load_bin(here.path, 10); }, {here.path.string()});
    says([&] { load_bin(here.with("empty.bin", ""), 10); }, {"empty.bin", "empty"});
    says([&] { load_bin(here.with("odd.bin", "abc"), 65536); }, {"odd.bin", "3 bytes", "even"});
    save_bin(here.path / "large.bin", std::vector<token>{1, 2, 10, 3});
    BOOST_TEST(load_bin(here.path / "large.bin", 11).size() == 4);
    says([&] { load_bin(here.path / "large.bin", 10); }, {"large.bin", "token 10", "position 2", "below 10"});
}

BOOST_AUTO_TEST_CASE(what_sixteen_bits_do_not_hold_is_not_written) {
    folder const here;
    auto const path = here.path / "out.bin";
    says([&] { save_bin(path, std::vector<token>{5, 65536}); }, {"out.bin", "token 65536", "position 1"});
    says([&] { save_bin(path, std::vector<token>{-1}); }, {"out.bin", "token -1", "position 0"});
    says([&] { save_bin(path, {}); }, {"out.bin", "at least one"});
    BOOST_TEST(!std::filesystem::exists(path));
    says([&] { save_bin(here.path / "no" / "out.bin", std::vector<token>{1}); }, {"out.bin"});
}

BOOST_AUTO_TEST_CASE(a_large_vocabulary_takes_thirty_two_bits_and_says_so) {
    folder const here;
    auto const path = here.path / "wide.bin";
    std::vector<token> const numbers{1, 65536, 128255};
    save_bin(path, numbers, 128256);
    BOOST_TEST(std::filesystem::file_size(path) == 12u);
    auto const form = read_token_file_form(path, 0);
    BOOST_TEST((form.wide && form.recorded));
    BOOST_TEST(form.vocabulary == 128256);
    BOOST_TEST(contents(load_bin(path, 128256)) == numbers, boost::test_tools::per_element());
    says([&] { load_bin(path, 50000); }, {"wide.bin", "token 65536", "position 1", "below 50000"});  // the sidecar knows the width
    std::filesystem::remove(path.string() + ".json");
    BOOST_TEST(contents(load_bin(path, 128256)) == numbers, boost::test_tools::per_element());  // and so does the vocabulary
    says([&] { load_bin(path, 70000); }, {"wide.bin", "128255", "sidecar"});
    says([&] { load_bin(here.with("cut.bin", "abcdef"), 70000); }, {"cut.bin", "6 bytes", "multiple of 4"});

    save_bin(path, std::vector<token>{7}, 100);
    BOOST_TEST(read_text(path) == std::string("\x07\x00", 2));
    BOOST_TEST(read_token_file_form(path, 0).vocabulary == 100);
    save_bin(path, std::vector<token>{7});
    BOOST_TEST(!std::filesystem::exists(path.string() + ".json"));  // not left from another file
    says([&] { save_bin(path, std::vector<token>{100}, 100); }, {"wide.bin", "token 100", "0 to 99"});
    here.with("wide.bin.json", "{\"dtype\": \"int8\"}");
    says([&] { load_bin(path, 100); }, {"wide.bin.json", "'dtype'", "int8"});
}

BOOST_AUTO_TEST_CASE(parts_share_memory_and_outlive_the_whole) {
    folder const here;
    save_bin(here.path / "train.bin", std::vector<token>{0, 1, 2, 3, 4, 5});
    for (bool const mapped : {false, true}) {
        token_array part;
        {
            token_array const whole = mapped ? load_bin(here.path / "train.bin", 6) : token_array("whole", {0, 1, 2, 3, 4, 5});
            part = whole.part("middle", 2, 5);
            BOOST_TEST(&whole.name() != &part.name());
            says([&] { whole.part("beyond", 2, 7); }, {whole.name(), "0 to 6", "2 to 7"});
            says([&] { whole.part("before", -1, 3); }, {"-1 to 3"});
            says([&] { whole.part("backwards", 3, 2); }, {"3 to 2"});
            BOOST_TEST(whole.part("nothing", 3, 3).size() == 0);
        }
        BOOST_TEST(part.name() == "middle");
        BOOST_TEST(contents(part) == (std::vector<token>{2, 3, 4}), boost::test_tools::per_element());
        BOOST_TEST(contents(part.part("last", 2, 3)) == std::vector<token>{4});
    }
    BOOST_TEST(token_array().size() == 0);
}

BOOST_AUTO_TEST_CASE(any_token_is_held_in_memory) {
    token_array const wide("wide", {151936, -1});  // larger than 16 bits hold
    BOOST_TEST(wide[0] == 151936);
    BOOST_TEST(wide[1] == -1);
}

BOOST_AUTO_TEST_SUITE_END()
