#include <boost/test/unit_test.hpp>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <attnlab/io/json.hpp>
#include <attnlab/train/schedule.hpp>

#include "fixtures.hpp"
#include "io/folder.hpp"

using namespace attnlab;

BOOST_AUTO_TEST_SUITE(schedule)

BOOST_AUTO_TEST_CASE(the_rates_of_every_recorded_run) {
    int cases = 0;
    if (!std::filesystem::is_directory(fixtures() / "train")) return;
    for (auto const& folder : std::filesystem::directory_iterator(fixtures() / "train")) {
        auto const path = folder.path() / "case.json";
        auto const about = parse_json(path);
        if (!about.contains("hyper")) continue;
        auto const where = path.string();
        auto const hyper = about["hyper"];
        schedule_settings s;
        s.learning_rate = field<double>(hyper, where, "learning_rate");
        s.min_lr = field<double>(hyper, where, "min_lr");
        s.warmup_iters = field<int>(hyper, where, "warmup_iters");
        s.lr_decay_iters = field<int>(hyper, where, "lr_decay_iters");
        s.decay_lr = field<bool>(hyper, where, "decay_lr");
        validate(s);
        auto const expected = field<std::vector<double>>(about["float64"], where, "lr");
        for (std::size_t it = 0; it < expected.size(); ++it)
            BOOST_TEST(std::abs(learning_rate(s, static_cast<std::int64_t>(it)) - expected[it]) <= 1e-15 * expected[it],
                       where << " step " << it);
        ++cases;
    }
    BOOST_TEST(cases > 0);
}

BOOST_AUTO_TEST_CASE(warm_up_cosine_and_end) {
    schedule_settings s{1.0, 0.1, 10, 110};
    BOOST_TEST(learning_rate(s, 0) == 0.0);
    BOOST_TEST(learning_rate(s, 5) == 0.5);
    BOOST_TEST(learning_rate(s, 10) == 1.0);
    BOOST_TEST(std::abs(learning_rate(s, 60) - 0.55) < 1e-15);                                 // half way
    BOOST_TEST(std::abs(learning_rate(s, 35) - (0.1 + 0.45 * (1 + std::sqrt(0.5)))) < 1e-15);  // cos(pi/4)
    BOOST_TEST(learning_rate(s, 110) == 0.1);
    BOOST_TEST(learning_rate(s, 100000) == 0.1);

    s.warmup_from_zero = false;
    BOOST_TEST(learning_rate(s, 0) == 0.1);
    BOOST_TEST(learning_rate(s, 9) == 1.0);
    BOOST_TEST(learning_rate(s, 10) == 1.0);

    s.decay_lr = false;
    BOOST_TEST(learning_rate(s, 0) == 1.0);
    BOOST_TEST(learning_rate(s, 1000) == 1.0);
}

BOOST_AUTO_TEST_CASE(edges_divide_by_nothing) {
    BOOST_TEST(learning_rate({1.0, 0.1, 0, 0}, 0) == 0.1);
    BOOST_TEST(learning_rate({1.0, 0.1, 0, 5}, 0) == 1.0);
    BOOST_TEST(learning_rate({1.0, 0.1, 5, 5}, 5) == 0.1);
}

BOOST_AUTO_TEST_CASE(wrong_settings_are_named) {
    auto const line = [](schedule_settings s) { return error_of([&] { validate(s); }); };
    BOOST_TEST(line({-1, 0, 0, 10}) == "learning_rate: '-1': expected 0 or more");
    BOOST_TEST(line({std::nan(""), 0, 0, 10}) == "learning_rate: 'nan': expected 0 or more");
    BOOST_TEST(line({1, 2, 0, 10}) == "min_lr: '2': expected a number from 0 to learning_rate, 1");
    BOOST_TEST(line({1, 0.1, -5, 10}) == "warmup_iters: '-5': expected 0 or more");
    BOOST_TEST(line({1, 0.1, 20, 10}) == "lr_decay_iters: '10': expected warmup_iters, 20, or more");
    BOOST_CHECK_NO_THROW(validate(schedule_settings{1, 0.1, 20, 10, false}));
}

BOOST_AUTO_TEST_SUITE_END()
