#include <cmath>
#include <limits>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/core/gradient_check.hpp>

BOOST_AUTO_TEST_SUITE(gradient_check)

using attnlab::check_gradient;

namespace {

/// f = sum exp(x_i) y_i^2, with its gradients.
struct sample {
    std::vector<double> x{0.3, -1.2, 2.0}, y{1.5, 0.7, -0.4}, dx, dy;
    sample() {
        for (std::size_t i = 0; i < x.size(); ++i) {
            dx.push_back(std::exp(x[i]) * y[i] * y[i]);
            dy.push_back(2 * std::exp(x[i]) * y[i]);
        }
    }
    double value() const {
        double sum = 0;
        for (std::size_t i = 0; i < x.size(); ++i) sum += std::exp(x[i]) * y[i] * y[i];
        return sum;
    }
    attnlab::gradient_report check(attnlab::difference_settings const& settings = {}) {
        return check_gradient([&] { return value(); }, {{"x", x, dx}, {"y", y, dy}}, settings);
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(right_gradients_agree) {
    sample s;
    auto const before = s.x;
    BOOST_TEST(s.check().worst < 1e-8);
    BOOST_TEST((s.x == before));
}

BOOST_AUTO_TEST_CASE(a_wrong_element_is_named) {
    sample s;
    s.dy[2] *= 1.001;
    auto const report = s.check();
    BOOST_TEST(report.worst > 5e-4);
    BOOST_TEST(report.worst < 2e-3);
    BOOST_TEST(report.array == "y");
    BOOST_TEST(report.element == 2u);
    BOOST_TEST(report.gradient == s.dy[2]);
    BOOST_TEST(report.line().find("y[2]") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_missing_gradient_is_an_error_of_one) {
    sample s;
    s.dx.assign(3, 0);
    BOOST_TEST(s.check().worst == 1.0, boost::test_tools::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(what_is_not_a_number_never_agrees) {
    sample s;
    s.dx[1] = std::numeric_limits<double>::quiet_NaN();
    auto const report = s.check();
    BOOST_TEST(std::isinf(report.worst));
    BOOST_TEST(report.array == "x");
    BOOST_TEST(report.element == 1u);
}

BOOST_AUTO_TEST_CASE(the_best_of_several_steps_counts) {
    sample s;
    BOOST_TEST(s.check({{0.3}, 1e-9, 1e-4}).worst > 1e-3);    // curved
    BOOST_TEST(s.check({{1e-14}, 1e-9, 1e-4}).worst > 1e-4);  // rounded
    BOOST_TEST(s.check({{0.3, 1e-14, 1e-5}, 1e-9, 1e-4}).worst < 1e-8);
}

BOOST_AUTO_TEST_CASE(small_gradients_are_measured_against_the_floor) {
    std::vector<double> x{1}, d{1e-12};
    BOOST_TEST(check_gradient([] { return 5.0; }, {{"x", x, d}}).worst == 1e-8, boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_CASE(nothing_to_check_is_an_error) {
    std::vector<double> x{1}, two{1, 2}, none;
    auto const f = [] { return 0.0; };
    BOOST_CHECK_THROW(check_gradient(f, {}), attnlab::error);
    BOOST_CHECK_THROW(check_gradient(f, {{"x", none, none}}), attnlab::error);
    BOOST_CHECK_THROW(check_gradient(f, {{"x", x, two}}), attnlab::error);
    BOOST_CHECK_THROW(check_gradient(f, {{"x", x, x}}, {{}, 1e-9, 1e-4}), attnlab::error);
}

BOOST_AUTO_TEST_SUITE_END()
