#include <boost/test/unit_test.hpp>

#include <chrono>
#include <sstream>
#include <string>
#include <thread>

#include <attnlab/io/progress.hpp>

#include "folder.hpp"

using namespace attnlab;

BOOST_AUTO_TEST_SUITE(progress_line)

BOOST_AUTO_TEST_CASE(plain_lines_tell_share_rate_and_time) {
    std::ostringstream out;
    {
        progress p("training softmax", 2000, "tokens", {.quiet = false, .out = &out, .terminal = false, .interval = 0});
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        p.note("loss 1.95");
        p.advance(500);
    }
    auto const all = out.str();
    auto const first = all.substr(0, all.find('\n'));
    BOOST_TEST(names(first, "training softmax", "25%", "500 of 2.00k tokens", "/s", "left", "loss 1.95"));
    BOOST_TEST(names(all.substr(first.size()), "500 of 2.00k tokens", " in ", "loss 1.95"));
    BOOST_TEST(all.find('\r') == all.npos);
}

BOOST_AUTO_TEST_CASE(no_more_lines_than_the_interval_allows) {
    std::ostringstream out;
    progress p("work", 1000, "steps", {.quiet = false, .out = &out, .terminal = false, .interval = 3600});
    for (int i = 0; i < 1000; ++i) p.advance();
    BOOST_TEST(out.str().empty());
    p.finish();
    p.finish();
    BOOST_TEST(names(out.str(), "work  1.00k steps  in "));
    BOOST_TEST(out.str().find('\n') == out.str().size() - 1);
}

BOOST_AUTO_TEST_CASE(a_terminal_is_redrawn_in_place) {
    std::ostringstream out;
    {
        progress p("work", 0, "steps", {.quiet = false, .out = &out, .terminal = true, .interval = 0});
        p.note(std::string(5000, 'x'));
        p.advance();
        p.advance();
    }
    auto const all = out.str();
    BOOST_TEST(std::count(all.begin(), all.end(), '\r') == 3);
    BOOST_TEST(std::count(all.begin(), all.end(), '\n') == 1);
    BOOST_TEST(all.size() < 5000u);
    BOOST_TEST(all.find('%') == all.npos);
}

BOOST_AUTO_TEST_CASE(quiet_is_quiet) {
    std::ostringstream out;
    {
        progress p("work", 10, "steps", {.quiet = true, .out = &out, .terminal = false, .interval = 0});
        p.advance(10);
        p.finish();
    }
    BOOST_TEST(out.str().empty());
}

BOOST_AUTO_TEST_CASE(numbers_and_times_are_short) {
    BOOST_TEST(progress::short_number(0) == "0");
    BOOST_TEST(progress::short_number(950) == "950");
    BOOST_TEST(progress::short_number(1.234) == "1.23");
    BOOST_TEST(progress::short_number(12345) == "12.3k");
    BOOST_TEST(progress::short_number(999999) == "1.00M");
    BOOST_TEST(progress::short_number(123456789) == "123M");
    BOOST_TEST(progress::duration(3.14) == "3.1 s");
    BOOST_TEST(progress::duration(59.96) == "1:00");
    BOOST_TEST(progress::duration(247) == "4:07");
    BOOST_TEST(progress::duration(7390) == "2:03:10");
}

BOOST_AUTO_TEST_SUITE_END()
