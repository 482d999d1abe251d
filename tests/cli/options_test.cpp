#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

#include <attnlab/cli/options.hpp>

#include "io/folder.hpp"
#include "run_settings.hpp"

using namespace attnlab;

BOOST_AUTO_TEST_SUITE(options)

BOOST_AUTO_TEST_CASE(values_go_to_the_fields) {
    run_settings s;
    auto t = s.table();
    BOOST_TEST(!t.given("batch_size"));
    t.set("batch_size", "1_024", "--");
    t.set("out-dir", "runs/a", "--");
    t.set("eval_only", "True", "--");
    t.set("policies", "sigmoid,softmax", "--");
    t.set("learning_rate", "1e-2", "--");
    BOOST_TEST(s.batch_size == 1024);
    BOOST_TEST(s.out_dir == "runs/a");
    BOOST_TEST(s.eval_only);
    BOOST_TEST((s.policies == std::vector<std::string>{"sigmoid", "softmax"}));
    BOOST_TEST(s.learning_rate == 0.01);
    BOOST_TEST(t.given("batch_size"));
    BOOST_TEST(!t.given("seed"));
    BOOST_TEST(names(error_of([&] { t.given("sed"); }), "'sed'"));
}

BOOST_AUTO_TEST_CASE(wrong_values_are_named_and_change_nothing) {
    run_settings s;
    auto t = s.table();
    auto const line = [&](std::string name, std::string given, std::string before = "--") {
        BOOST_CHECK_THROW(t.set(name, given, before), usage_error);
        return error_of([&] { t.set(name, given, before); });
    };
    BOOST_TEST(line("batch_size", "abc") == "--batch_size: 'abc': expected a whole number, 1 or more");
    BOOST_TEST(line("batch_size", "0", "run.cfg:3: ") == "run.cfg:3: batch_size: '0': expected a whole number, 1 or more");
    BOOST_TEST(line("seed", "-1") == "--seed: '-1': expected a whole number, not negative");
    BOOST_TEST(line("learning_rate", "fast") == "--learning_rate: 'fast': expected a number, 0 or more");
    BOOST_TEST(line("beta1", "1.5") == "--beta1: '1.5': expected a number from 0 to 1");
    BOOST_TEST(line("optim_name", "sgd") == "--optim_name: 'sgd': expected one of adam, gdm");
    BOOST_TEST(line("eval_only", "maybe") == "--eval_only: 'maybe': expected true or false");
    BOOST_TEST(line("policies", "softmax,relu") == "--policies: 'softmax,relu': expected one of softmax, sigmoid");
    BOOST_TEST(s.batch_size == 12);
    BOOST_TEST(s.learning_rate == 6e-4);
    BOOST_TEST(!t.given("batch_size"));
}

BOOST_AUTO_TEST_CASE(unknown_names_bring_the_nearest) {
    run_settings s;
    auto t = s.table();
    auto const line = [&](std::string name) { return error_of([&] { t.set(name, "1", "--"); }); };
    BOOST_TEST(line("batchsize") == "--batchsize: unknown option; nearest: batch_size");
    BOOST_TEST(line("eval-onyl") == "--eval_onyl: unknown option; nearest: eval_only");
    BOOST_TEST(line("wandb_log") == "--wandb_log: unknown option; --help lists them all");
    BOOST_TEST(
        (nearest_names("beta", {"beta1", "gamma", "beta", "delta"}) == std::vector<std::string>{"beta", "beta1", "delta"}));
    BOOST_TEST(nearest_names("x", {}).empty());
}

BOOST_AUTO_TEST_CASE(a_name_is_declared_once) {
    run_settings s;
    auto t = s.table();
    for (std::string name : {"seed", "config", "help"})
        BOOST_TEST(names(error_of([&] { t.add(name, s.seed, "again"); }), "'" + name + "' is declared twice"));
}

BOOST_AUTO_TEST_CASE(effective_values_as_a_configuration) {
    run_settings s;
    auto t = s.table();
    t.set("data_dir", "it's # here", "--");
    t.set("batch_size", "3", "--");
    BOOST_TEST(t.as_config() ==
               "batch_size = 3\nlearning_rate = 6e-04\nbeta1 = 0.9\noptim_name = 'adam'\ndecay_lr = true\nseed = 1337\n"
               "eval_only = false\ndata_dir = \"it's # here\"\nout_dir = 'out'\npolicies = 'softmax'\n");
}

BOOST_AUTO_TEST_SUITE_END()
