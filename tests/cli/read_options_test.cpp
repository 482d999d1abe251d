#include <boost/test/unit_test.hpp>

#include <sstream>
#include <string>
#include <vector>

#include <attnlab/cli/read_options.hpp>

#include "io/folder.hpp"
#include "run_settings.hpp"

using namespace attnlab;

BOOST_AUTO_TEST_SUITE(read_options_of_a_command)

namespace {

struct command : run_settings {
    option_table t = table();
    std::ostringstream help;
    bool read(std::vector<std::string> const& arguments) { return read_options(t, arguments, help); }
};

std::string line(std::vector<std::string> const& arguments) {
    command c;
    BOOST_CHECK_THROW(c.read(arguments), usage_error);
    command d;
    return error_of([&] { d.read(arguments); });
}

}  // namespace

BOOST_AUTO_TEST_CASE(all_spellings) {
    command c;
    BOOST_TEST(c.read({"--batch_size", "4", "--learning-rate=1e-3", "--optim-name", "gdm", "--out_dir=a=b", "--data_dir", "-"}));
    BOOST_TEST(c.batch_size == 4);
    BOOST_TEST(c.learning_rate == 1e-3);
    BOOST_TEST(c.optim_name == "gdm");
    BOOST_TEST(c.out_dir == "a=b");
    BOOST_TEST(c.data_dir == "-");
    BOOST_TEST(c.seed == 1337u);  // the default
    command none;
    BOOST_TEST(none.read({}));
    BOOST_TEST(none.help.str().empty());
}

BOOST_AUTO_TEST_CASE(a_bool_s_name_alone_is_true) {
    command a, b, c, d;
    a.read({"--eval_only", "--seed", "2"});
    BOOST_TEST(a.eval_only);
    b.read({"--seed", "2", "--eval-only"});
    BOOST_TEST(b.eval_only);
    c.read({"--decay_lr", "False", "--eval_only", "True"});
    BOOST_TEST(!c.decay_lr);
    BOOST_TEST(c.eval_only);
    d.read({"--decay_lr=false"});
    BOOST_TEST(!d.decay_lr);
    BOOST_TEST(line({"--decay_lr=maybe"}) == "--decay_lr: 'maybe': expected true or false");
}

BOOST_AUTO_TEST_CASE(negative_and_empty_values) {
    command c;
    c.data_dir = "x";
    BOOST_TEST(line({"--learning_rate", "-1"}) == "--learning_rate: '-1': expected a number, 0 or more");
    BOOST_TEST(line({"--learning_rate=-1"}) == "--learning_rate: '-1': expected a number, 0 or more");
    c.read({"--data_dir", ""});
    BOOST_TEST(c.data_dir == "");
    c.data_dir = "x";
    c.read({"--data_dir="});
    BOOST_TEST(c.data_dir == "");
    BOOST_TEST(line({"--data_dir", "--", "x"}) == "--data_dir: expected a value: text");
}

BOOST_AUTO_TEST_CASE(wrong_command_lines_are_named) {
    BOOST_TEST(line({"--batchsize", "4"}) == "--batchsize: unknown option; nearest: batch_size");
    BOOST_TEST(line({"--batchsize=4"}) == "--batchsize: unknown option; nearest: batch_size");
    BOOST_TEST(line({"--batch", "4"}) == "--batch: unknown option; --help lists them all");  // no abbreviations
    BOOST_TEST(line({"--batch_siz", "4"}) == "--batch_siz: unknown option; nearest: batch_size");
    BOOST_TEST(line({"--batch_size"}) == "--batch_size: expected a value: a whole number, 1 or more");
    BOOST_TEST(line({"--batch_size="}) == "--batch_size: '': expected a whole number, 1 or more");
    BOOST_TEST(line({"--batch_size", "--seed", "3"}) == "--batch_size: expected a value: a whole number, 1 or more");
    BOOST_TEST(line({"--config"}) == "--config: expected a value: a configuration file");
    BOOST_TEST(line({"--seed", "1", "--seed", "1"}) == "--seed: given twice");
    BOOST_TEST(line({"--batch-size=1", "--batch_size=2"}) == "--batch_size: given twice");
    BOOST_TEST(line({"--eval_only", "--eval_only"}) == "--eval_only: given twice");
    BOOST_TEST(line({"--eval_only", "maybe"}) == "--eval_only: 'maybe': expected true or false");
    BOOST_TEST(line({"model"}) == "'model': expected no argument without a name; options are --name value");
    BOOST_TEST(line({"-x"}) == "'-x': expected no argument without a name; options are --name value");
    BOOST_TEST(names(line({"--=3"}), "--: unknown option"));
    BOOST_TEST(names(line({"--(no name)=3"}), "unknown option"));
}

BOOST_AUTO_TEST_CASE(arguments_without_a_name) {
    auto const read = [](std::vector<std::string> const& arguments) {
        std::string model, text = "default", other;
        option_table t("attnlab perplexity", "Measures.");
        int stride = 1;
        t.positional("MODEL", model, "a model folder")
            .positional("TEXT", text, "a text file", false)
            .add("stride", stride, "step");
        std::ostringstream help;
        attnlab::read_options(t, arguments, help);
        return model + "|" + text + "|" + std::to_string(stride);
    };
    BOOST_TEST(read({"a"}) == "a|default|1");
    BOOST_TEST(read({"a", "--stride", "3", "b"}) == "a|b|3");
    BOOST_TEST(read({"--stride=3", "--", "--a", "-b"}) == "--a|-b|3");
    BOOST_TEST(error_of([&] { read({}); }) == "MODEL: missing: expected a model folder");
    BOOST_TEST(error_of([&] {
                   read({"a", "b", "c"});
               }) == "'c': expected no further argument without a name; options are --name value");
}

BOOST_AUTO_TEST_CASE(a_configuration_as_nanogpt_writes_them) {
    folder f;
    auto const path = f.write("train.cfg",
                              "# train a miniature model\n"
                              "\n"
                              "out_dir = 'out-shakespeare # char'   # note\n"
                              "batch_size=1_000\r\n"
                              "  learning_rate = 1e-3 # with baby networks can afford to go a bit higher\n"
                              "eval_only = True\n"
                              "decay-lr = False\n"
                              "data_dir = \"it's\"\n"
                              "optim_name = gdm\n"
                              "policies = 'softmax, sigmoid'");
    command c;
    c.read({"--batch_size", "7", "--config", path.string()});
    BOOST_TEST(c.out_dir == "out-shakespeare # char");
    BOOST_TEST(c.batch_size == 7);  // the command line is later
    BOOST_TEST(c.learning_rate == 1e-3);
    BOOST_TEST(c.eval_only);
    BOOST_TEST(!c.decay_lr);
    BOOST_TEST(c.data_dir == "it's");
    BOOST_TEST(c.optim_name == "gdm");
    BOOST_TEST(c.policies.size() == 2u);

    command again;
    again.read({"--config=" + f.write("again.cfg", c.t.as_config()).string()});
    BOOST_TEST(again.t.as_config() == c.t.as_config());
}

BOOST_AUTO_TEST_CASE(wrong_configurations_name_file_and_line) {
    folder f;
    auto const config = [&](std::string const& text) {
        auto const path = f.write("run.cfg", text).string();
        auto const whole = line({"--config", path});
        BOOST_TEST(whole.starts_with(path));
        return "run.cfg" + whole.substr(path.size());
    };
    BOOST_TEST(config("seed = 1\n\nbatchsize = 3\n") == "run.cfg:3: batchsize: unknown option; nearest: batch_size");
    BOOST_TEST(config("batch_size = 5 * 8") == "run.cfg:1: batch_size: '5 * 8': expected a whole number, 1 or more");
    BOOST_TEST(config("seed = 1\nseed = 1") == "run.cfg:2: seed: given twice, first on line 1");
    BOOST_TEST(config("batch_size = 1\nbatch-size = 2") == "run.cfg:2: batch_size: given twice, first on line 1");
    BOOST_TEST(config("import os") == "run.cfg:1: 'import os': expected a line `key = value`");
    BOOST_TEST(config("if seed == 3:") == "run.cfg:1: 'if seed == 3:': expected a line `key = value`");
    BOOST_TEST(config("= 3") == "run.cfg:1: '= 3': expected a line `key = value`");
    BOOST_TEST(config("seed =   # later") == "run.cfg:1: seed: expected a value after '='");
    BOOST_TEST(config("data_dir = 'open") == "run.cfg:1: data_dir: 'open: expected a closing '");
    BOOST_TEST(config("data_dir = 'a' + 'b'") == "run.cfg:1: data_dir: '+ 'b'' after the closing quote: expected nothing");
    BOOST_TEST(config("config = 'other'") == "run.cfg:1: config: unknown option; --help lists them all");
    command c;
    BOOST_TEST(names(error_of([&] { c.read({"--config", (f / "none.cfg").string()}); }), "none.cfg"));
}

BOOST_AUTO_TEST_CASE(help_lists_everything) {
    for (std::string ask : {"--help", "-h"}) {
        command c;
        std::string model;
        c.t.positional("MODEL", model, "a model folder");
        BOOST_TEST(!c.read({"--batchsize", ask}));  // help comes before complaints
        auto const text = c.help.str();
        BOOST_TEST(names(text, "usage: attnlab train MODEL [--option value ...]", "Trains a model.", "a model folder",
                         "Optimizer:", "Run:", "--batch_size N", "(default: 12)", "one of adam, gdm; default: adam",
                         "default: none", "--policies A,B,...", "--config FILE"));
        for (auto const& o : c.t.options()) BOOST_TEST(names(text, "--" + o.name));
    }
}

BOOST_AUTO_TEST_CASE(effective_values_are_typed_json) {
    command c;
    c.read({"--seed=18446744073709551615", "--learning_rate=0.01", "--eval_only"});
    BOOST_TEST(
        effective_values(c.t).dump() ==
        R"({"batch_size":12,"learning_rate":0.01,"beta1":0.9,"optim_name":"adam","decay_lr":true,"seed":18446744073709551615,)"
        R"("eval_only":true,"data_dir":"","out_dir":"out","policies":["softmax"]})");
}

BOOST_AUTO_TEST_SUITE_END()
