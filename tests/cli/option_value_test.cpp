#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <attnlab/cli/option_value.hpp>

using namespace attnlab;

BOOST_AUTO_TEST_SUITE(option_value)

namespace {

template <class T>
std::optional<T> read(std::string const& text) {
    return option_type<T>::read(text);
}

}  // namespace

BOOST_AUTO_TEST_CASE(bools_are_python_s_or_ours) {
    for (auto yes : {"True", "true", "1"}) BOOST_TEST((read<bool>(yes) == true));
    for (auto no : {"False", "false", "0"}) BOOST_TEST((read<bool>(no) == false));
    for (auto neither : {"", "yes", "TRUE", "2", "None"}) BOOST_TEST(!read<bool>(neither).has_value());
}

BOOST_AUTO_TEST_CASE(whole_numbers) {
    BOOST_TEST(read<int>("-12").value() == -12);
    BOOST_TEST(read<int>("+12").value() == 12);
    BOOST_TEST(read<std::int64_t>("1_000_000").value() == 1000000);
    BOOST_TEST(read<std::uint64_t>("18446744073709551615").value() == std::numeric_limits<std::uint64_t>::max());
    for (auto wrong :
         {"", "1.5", "1e3", "12x", "x", "_1", "1_", "1__0", "-_1", "0x10", " 1", "+-1", "-", "+", "99999999999999999999"})
        BOOST_TEST(!read<std::int64_t>(wrong).has_value(), wrong);
    BOOST_TEST(!read<std::uint64_t>("-1").has_value());
    BOOST_TEST(!read<int>("3000000000").has_value());  // not cut to 32 bits
}

BOOST_AUTO_TEST_CASE(numbers) {
    BOOST_TEST(read<double>("6e-4").value() == 6e-4);
    BOOST_TEST(read<double>(".5").value() == 0.5);
    BOOST_TEST(read<double>("-1_000.25").value() == -1000.25);
    BOOST_TEST(read<float>("0.1").value() == 0.1f);
    for (auto wrong : {"", "nan", "inf", "-inf", "1e999", "1,5", "6e-4x", "e5"})
        BOOST_TEST(!read<double>(wrong).has_value(), wrong);
}

BOOST_AUTO_TEST_CASE(lists) {
    using list = std::vector<std::string>;
    BOOST_TEST((read<list>("softmax, sigmoid") == list{"softmax", "sigmoid"}));
    BOOST_TEST((read<list>("softmax") == list{"softmax"}));
    BOOST_TEST((read<list>("") == list{}));
    for (auto wrong : {",", "a,", "a,,b", ",a"}) BOOST_TEST(!read<list>(wrong).has_value(), wrong);
}

BOOST_AUTO_TEST_CASE(what_is_written_reads_back) {
    for (double x : {0.1, 6e-4, 1e300, -1.0 / 3}) BOOST_TEST(read<double>(to_text(x)).value() == x);
    BOOST_TEST(to_text(true) == "true");
    BOOST_TEST(to_text(std::int64_t{-5}) == "-5");
    BOOST_TEST(to_text(std::vector<std::string>{"a", "b"}) == "a,b");
    BOOST_TEST(to_text(std::string("out")) == "out");
}

BOOST_AUTO_TEST_SUITE_END()
