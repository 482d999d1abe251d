#include <attnlab/cli/tokenize_command.hpp>

#include <algorithm>
#include <sstream>
#include <string>

#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(tokenize)

using namespace attnlab;

namespace {

std::string run(std::string const& input, tokenize_settings s = {}) {
    s.model = std::string(ATTNLAB_SOURCE_DIR) + "/tests/data/tokenizers/starcoder";
    std::istringstream in(input);
    std::ostringstream out;
    tokenize_command(in, out, s);
    return out.str();
}

bool says(std::string const& input, tokenize_settings const& s, std::string const& piece) {
    try {
        run(input, s);
    } catch (error const& e) {
        return std::string(e.what()).find(piece) != std::string::npos;
    }
    return false;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_line_is_a_list_of_tokens) {
    auto const tokens = run("the model\n\nof words");
    BOOST_TEST(std::count(tokens.begin(), tokens.end(), '\n') == 3);
    BOOST_TEST(tokens.find("\n[]\n") != std::string::npos);
    BOOST_TEST(run(tokens, {.decode = true}) == " the model\n\n of words\n");  // this tokeniser puts a space in front
}

BOOST_AUTO_TEST_CASE(special_tokens_are_added_and_left_out) {
    auto const tokens = run("the <s> model", {.special = true});
    BOOST_TEST(run(tokens, {.decode = true}).starts_with("<s>"));
    BOOST_TEST((run(tokens, {.decode = true, .skip_special = true}) == " the  model\n"));
}

BOOST_AUTO_TEST_CASE(texts_with_line_ends_are_json_or_the_whole) {
    auto const tokens = run("a\n\"b\"\n", {.whole = true});
    BOOST_TEST(tokens == run(R"("a\n\"b\"\n")", {.json = true}));
    BOOST_TEST((run(tokens, {.decode = true, .json = true}) == "\" a\\n\\\"b\\\"\\n\"\n"));
}

BOOST_AUTO_TEST_CASE(wrong_lines_are_named) {
    BOOST_TEST(says("[1]\n[1, \"a\"]", {.decode = true}, "standard input, line 2"));
    BOOST_TEST(says("[1]\n[99999]", {.decode = true}, "standard input, line 2: token 99999 at position 0"));
    BOOST_TEST(says("no JSON", {.json = true}, "standard input, line 1"));
    BOOST_TEST((says("", {.decode = true, .whole = true}, "--whole")));
    BOOST_TEST(says("", {.skip_special = true}, "--skip_special"));
}

BOOST_AUTO_TEST_SUITE_END()
