#include <boost/test/unit_test.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <attnlab/core/view.hpp>
#include <attnlab/io/json.hpp>

#include "folder.hpp"

using namespace attnlab;

BOOST_AUTO_TEST_SUITE(json_values)

BOOST_AUTO_TEST_CASE(fields_have_types) {
    auto const j = parse_json_text(R"({"n": 3, "x": 1e-5, "k": 10000, "t": "gelu", "b": true, "l": [1, 2], "o": {"a": null}, "i": "-inf"})", "c.json");
    BOOST_TEST(field<int>(j, "c.json", "n") == 3);
    BOOST_TEST(field<attnlab::index_t>(j, "c.json", "n") == 3);
    BOOST_TEST(field<double>(j, "c.json", "x") == 1e-5);
    BOOST_TEST(field<double>(j, "c.json", "k") == 10000);
    BOOST_TEST(field<std::string>(j, "c.json", "t") == "gelu");
    BOOST_TEST(field<bool>(j, "c.json", "b"));
    BOOST_TEST(field<std::vector<int>>(j, "c.json", "l") == (std::vector<int>{1, 2}), boost::test_tools::per_element());
    BOOST_TEST(field<json>(j, "c.json", "o").contains("a"));
    BOOST_TEST(std::isinf(field<double>(j, "c.json", "i")));
    BOOST_TEST(field_or<int>(j, "c.json", "none", 7) == 7);
    BOOST_TEST(field_or<int>(field<json>(j, "c.json", "o"), "c.json", "a", 8) == 8);
    BOOST_TEST(field_or<int>(j, "c.json", "n", 7) == 3);
}

BOOST_AUTO_TEST_CASE(wrong_fields_are_named) {
    auto const j = parse_json_text(R"({"n": "four", "big": 1099511627776, "neg": -1, "x": 2.5, "l": [1, "b"], "b": 1})", "c.json");
    auto const line = error_of([&] { field<int>(j, "c.json", "n"); });
    BOOST_TEST(names(line, "c.json", "'n'", "a whole number", "\"four\""));
    BOOST_TEST(names(error_of([&] { field<std::int32_t>(j, "c.json", "big"); }), "'big'", "2147483647", "1099511627776"));
    BOOST_TEST(field<attnlab::index_t>(j, "c.json", "big") == attnlab::index_t{1} << 40);
    BOOST_TEST(names(error_of([&] { field<std::uint64_t>(j, "c.json", "neg"); }), "'neg'", "not negative"));
    BOOST_TEST(names(error_of([&] { field<int>(j, "c.json", "x"); }), "'x'", "2.5"));
    BOOST_TEST(names(error_of([&] { field<std::vector<int>>(j, "c.json", "l"); }), "'l'", "list"));
    BOOST_TEST(names(error_of([&] { field<bool>(j, "c.json", "b"); }), "'b'", "true or false"));
    BOOST_TEST(names(error_of([&] { field<int>(j, "c.json", "none"); }), "'none'", "missing"));
    BOOST_TEST(names(error_of([&] { field_or<int>(j, "c.json", "n", 1); }), "'n'"));
    BOOST_TEST(names(error_of([&] { field<int>(json::array(), "c.json", "n"); }), "c.json", "object"));
}

BOOST_AUTO_TEST_CASE(bad_text_has_a_place) {
    BOOST_TEST(names(error_of([] { parse_json_text("{\n  \"a\": 1,\n  b\n}", "c.json"); }), "c.json: line 3, column 3"));
    BOOST_TEST(names(error_of([] { parse_json_text("", "c.json"); }), "line 1, column 1"));
    BOOST_TEST(names(error_of([] { parse_json_text("{\"a\": 1e999}", "c.json"); }), "c.json", "fit a double"));
    BOOST_TEST(names(error_of([] { parse_json_text("{\"a\": 1, \"b\": {\"a\": 2}, \"a\": 3}", "c.json"); }), "'a'", "twice"));
    BOOST_TEST(names(error_of([] { parse_json_text("\"\xff\"", "c.json"); }), "c.json: line 1"));
    BOOST_TEST(names(error_of([] { parse_json_text(std::string(1'000'000, '['), "c.json"); }), "c.json", "nested"));
    BOOST_TEST(names(error_of([] { parse_json("/no/such.json"); }), "/no/such.json"));
    BOOST_CHECK_NO_THROW(parse_json_text("[{\"a\": 1}, {\"a\": 2}]", "c.json"));
}

BOOST_AUTO_TEST_CASE(files_round_trip_in_order) {
    folder f;
    json j;
    j["z"] = json_number(0.1);
    j["a"] = json_number(std::numeric_limits<double>::quiet_NaN());
    write_json(f / "r.json", j);
    auto const back = parse_json(f / "r.json");
    BOOST_TEST(back.begin().key() == "z");
    BOOST_TEST(field<double>(back, "r.json", "z") == 0.1);
    BOOST_TEST(std::isnan(field<double>(back, "r.json", "a")));
}

BOOST_AUTO_TEST_CASE(an_object_is_taken_field_by_field) {
    std::string seen;
    auto const walk = [&](std::string_view text) {
        seen.clear();
        for_each_json_field(text, "h", 3, 6, [&](std::string const& name, json const& value) { seen += name + '=' + value.dump() + ' '; });
    };
    walk(R"({"a": 1, "b": {"c": [1, 2]}, "d": [], "e": null, "f": {}})");
    BOOST_TEST(seen == R"(a=1 b={"c":[1,2]} d=[] e=null f={} )");
    walk("{}");
    BOOST_TEST(seen.empty());
    for (auto const* text : {"[]", "3", "null", "[1]"}) BOOST_TEST(names(error_of([&] { walk(text); }), "h: expected a JSON object"));
    BOOST_TEST(names(error_of([&] { walk(R"({"a": 1, "a": 2})"); }), "'a'", "twice"));
    BOOST_TEST(names(error_of([&] { walk(R"({"b": {"c": 1, "c": 2}})"); }), "'c'", "twice"));
    BOOST_TEST(names(error_of([&] { walk(R"({"a": [[[1]]]})"); }), "nested"));
    BOOST_TEST(names(error_of([&] { walk(R"({"a": 1, "b": [1, 2, 3, 4, 5, 6, 7]})"); }), "'b'", "at most 6"));
    BOOST_TEST(names(error_of([&] { walk("{\"a\": 1,\n 2}"); }), "line 2"));
}

BOOST_AUTO_TEST_SUITE_END()
