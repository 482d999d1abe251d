#include <boost/test/unit_test.hpp>

#include <csignal>
#include <string>

#include <attnlab/train/interrupt.hpp>

using namespace attnlab;

BOOST_AUTO_TEST_SUITE(interrupt)

namespace {
int elsewhere = 0;
}

BOOST_AUTO_TEST_CASE(a_signal_is_noted_and_the_handler_before_comes_back) {
    auto const before = std::signal(SIGINT, [](int) { ++elsewhere; });
    {
        signal_watch const watch;
        BOOST_TEST(watch.caught() == nullptr);
        std::raise(SIGINT);
        BOOST_TEST(std::string(watch.caught()) == "SIGINT");
        BOOST_TEST(elsewhere == 0);
    }
    std::raise(SIGINT);
    BOOST_TEST(elsewhere == 1);
    {
        signal_watch const watch;  // nothing is left of the first
        BOOST_TEST(watch.caught() == nullptr);
        std::raise(SIGTERM);
        BOOST_TEST(std::string(watch.caught()) == "SIGTERM");
    }
    std::signal(SIGINT, before);
}

BOOST_AUTO_TEST_CASE(a_second_signal_is_not_held_back) {
    signal_watch const watch;
    std::raise(SIGTERM);
    struct sigaction now {};
    sigaction(SIGTERM, nullptr, &now);
    BOOST_TEST((now.sa_handler == SIG_DFL));
}

// With oneDNN's products running, a handler on the same stack overwrites their numbers, and the heap.
BOOST_AUTO_TEST_CASE(a_signal_does_not_touch_the_stack_of_the_computation) {
    stack_t before{}, now{}, after{};
    sigaltstack(nullptr, &before);
    {
        signal_watch const watch;
        sigaltstack(nullptr, &now);
        BOOST_TEST((now.ss_flags & SS_DISABLE) == 0);
        BOOST_TEST(now.ss_sp != before.ss_sp);
        for (int signal : {SIGINT, SIGTERM, SIGUSR1}) {
            struct sigaction handler {};
            sigaction(signal, nullptr, &handler);
            BOOST_TEST((handler.sa_flags & SA_ONSTACK) != 0);
        }
        std::raise(SIGUSR1);
        BOOST_TEST(std::string(watch.caught()) == "SIGUSR1");
    }
    sigaltstack(nullptr, &after);
    BOOST_TEST(after.ss_sp == before.ss_sp);
    BOOST_TEST(after.ss_flags == before.ss_flags);
}

BOOST_AUTO_TEST_SUITE_END()
