#include <attnlab/data/text.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "data/support.hpp"

BOOST_AUTO_TEST_SUITE(text_files)

using namespace attnlab;
using attnlab::test::folder, attnlab::test::says;
using boost::test_tools::per_element;

namespace {

std::string const multilingual = "na\xc3\xafve \xe2\x82\xac\xf0\x9f\x98\x80 a";  // naïve €😀 a
std::vector<std::uint32_t> const its_characters{' ', 'a', 'e', 'n', 'v', 0xef, 0x20ac, 0x1f600};

std::vector<token> contents(token_array const& array) {
    std::vector<token> out;
    for (index_t i = 0; i < array.size(); ++i) out.push_back(array[i]);
    return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(bytes_stand_for_themselves) {
    auto const vocabulary = text_vocabulary::bytes();
    BOOST_TEST(vocabulary.size() == 257);
    BOOST_TEST(vocabulary.bos() == 256);
    std::string every;
    for (int i = 0; i < 256; ++i) every += static_cast<char>(i);
    auto const tokens = vocabulary.encode(every, "every byte");
    for (token i = 0; i < 256; ++i) BOOST_TEST(tokens[static_cast<std::size_t>(i)] == i);
    BOOST_TEST(vocabulary.decode(tokens) == every);
    BOOST_TEST(vocabulary.decode(std::vector<token>{256, 'h', 256, 'i'}) == "hi");  // BOS is no text
}

BOOST_AUTO_TEST_CASE(characters_are_ranked_and_bos_comes_last) {
    auto const vocabulary = text_vocabulary::characters(multilingual, "text");
    BOOST_TEST(vocabulary.code_points() == its_characters, per_element());
    BOOST_TEST(vocabulary.size() == 9);
    BOOST_TEST(vocabulary.bos() == 8);
    auto const tokens = vocabulary.encode(multilingual, "text");
    BOOST_TEST(tokens == (std::vector<token>{3, 1, 5, 4, 2, 0, 6, 7, 0, 1}), per_element());
    BOOST_TEST(vocabulary.decode(tokens) == multilingual);
    BOOST_TEST(vocabulary.decode(std::vector<token>{8, 5}) == "\xc3\xaf");
}

BOOST_AUTO_TEST_CASE(a_token_is_shown_as_one_word) {
    auto const bytes = text_vocabulary::bytes();
    std::string shown;
    for (token const x : {97, 32, 10, 9, 7, 200, 256}) shown += bytes.shown(x) + "|";
    BOOST_TEST(shown == "a|_|\\n|\\t|<7>|#200|BOS|");
    BOOST_TEST(text_vocabulary::characters("\n\xC3\xA9", "text").shown(1) == "\xC3\xA9");
}

BOOST_AUTO_TEST_CASE(a_text_is_read_by_a_known_vocabulary) {
    folder const here;
    auto const known = text_vocabulary::characters("abc def\n", "known");
    std::string words;
    for (int i = 0; i < 10; ++i) words += "bad cafe\n";
    BOOST_TEST(load_text(here.with("cafe.txt", words), text_level::characters, known).vocabulary.size() == known.size());
    says([&] { load_text(here.with("other.txt", "abcx"), text_level::characters, known); }, {"other.txt", "U+0078"});
}

BOOST_AUTO_TEST_CASE(a_vocabulary_comes_back_from_its_code_points) {
    text_vocabulary const again(text_vocabulary::characters(multilingual, "text").code_points());
    BOOST_TEST((again.level() == text_level::characters));
    BOOST_TEST(again.decode(again.encode(multilingual, "text")) == multilingual);
    BOOST_TEST((text_vocabulary(text_vocabulary::bytes().code_points()).level() == text_level::bytes));
    says([] { text_vocabulary({'a', 'c', 'b'}); }, {"entry 2", "ascending", "98"});
    says([] { text_vocabulary({'a', 'a'}); }, {"entry 1"});
    says([] { text_vocabulary({'a', 0xd800}); }, {"entry 1", "55296"});
}

BOOST_AUTO_TEST_CASE(what_is_not_utf8_is_named_by_its_byte) {
    std::string const broken[] = {
        "ab\xff",              // no such byte
        "ab\x80",              // continues nothing
        "ab\xc3",              // stops short
        "ab\xe2\x82",          // stops short
        "ab\xc3(c",            // is not continued
        "ab\xc0\xaf",          // overlong
        "ab\xed\xa0\x80",      // surrogate
        "ab\xf4\x90\x80\x80",  // beyond Unicode
    };
    for (auto const& text : broken) {
        says([&] { text_vocabulary::characters(text, "input.txt"); }, {"input.txt", "byte 2", "UTF-8"});
        says([&] { text_vocabulary({'a', 'b'}).encode(text, "prompt"); }, {"prompt", "byte 2", "UTF-8"});
        BOOST_TEST(text_vocabulary::bytes().encode(text, "input.txt").size() == text.size());
    }
}

BOOST_AUTO_TEST_CASE(what_is_not_in_the_vocabulary_is_named) {
    text_vocabulary const ab({'a', 'b'});
    says([&] { ab.encode("ab\xe2\x82\xac", "prompt"); }, {"prompt", "byte 2", "U+20AC", "2 characters"});
    says([&] { ab.encode("\n", "prompt"); }, {"byte 0", "U+000A"});
    says([&] { ab.decode(std::vector<token>{0, 3}); }, {"token 3", "position 1", "0 to 2"});
    says([&] { ab.decode(std::vector<token>{-1}); }, {"token -1", "position 0"});
    says([&] { text_vocabulary::bytes().decode(std::vector<token>{257}); }, {"token 257", "0 to 256"});
}

BOOST_AUTO_TEST_CASE(a_file_is_split_nine_to_one) {
    folder const here;
    auto const path = here.with("input.txt", "abcdefghijklmnopqrs");  // 19: 17 and 2
    for (auto const level : {text_level::bytes, text_level::characters}) {
        auto const corpus = load_text(path, level);
        BOOST_TEST((corpus.vocabulary.level() == level));
        BOOST_TEST(corpus.vocabulary.decode(contents(corpus.train)) == "abcdefghijklmnopq");
        BOOST_TEST(corpus.vocabulary.decode(contents(corpus.validation)) == "rs");
        BOOST_TEST(corpus.train.name().find("input.txt") != std::string::npos);
        BOOST_TEST(corpus.validation.name().find("validation") != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(characters_are_counted_not_bytes) {
    folder const here;
    std::string ten;
    for (int i = 0; i < 10; ++i) ten += "\xe2\x82\xac";
    auto const corpus = load_text(here.with("euro.txt", ten), text_level::characters);
    BOOST_TEST(corpus.train.size() == 9);
    BOOST_TEST(corpus.validation.size() == 1);
    BOOST_TEST(load_text(here.path / "euro.txt", text_level::bytes).train.size() == 27);
}

BOOST_AUTO_TEST_CASE(wrong_files_are_named) {
    folder const here;
    for (auto const level : {text_level::bytes, text_level::characters}) {
        says([&] { load_text(here.path / "none.txt", level); }, {"none.txt", "cannot be read"});
        says([&] { load_text(here.with("empty.txt", ""), level); }, {"empty.txt", "empty"});
    }
    says([&] { load_text(here.with("latin.txt", "caf\xe9 noir"), text_level::characters); }, {"latin.txt", "byte 3", "UTF-8"});
}

BOOST_AUTO_TEST_SUITE_END()
