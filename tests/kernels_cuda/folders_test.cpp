// Hugging Face folders as they are looked at, on a device: every family of the fixtures, its logits and sites as recorded.
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include <boost/test/unit_test.hpp>

#include <attnlab/models/pretrained.hpp>

#include "fixtures/llm/recorded_pass.hpp"
#include "kernels_cuda/device.hpp"

BOOST_AUTO_TEST_SUITE(folders)

namespace {

using namespace attnlab;
using namespace attnlab::testing;

verdict run(std::filesystem::path const& folder, json const& c) {
    verdict v;
    auto const model = open_pretrained<device>(folder / "model");
    auto const near = allowance::of(c, (folder / "case.json").string());
    check_pass(*model, folder, "tokens.npy", "logits.npy", "expected.safetensors", near, v);
    return v;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_family) {
    auto const* const given = std::getenv("ATTNLAB_FIXTURES");   // set by main.cpp where they are
    if (given == nullptr || !std::filesystem::exists(std::filesystem::path(given) / "llm")) {
        std::cout << "skipped: no fixtures of language models\n";   // on a machine with a GPU and nothing else
        return;
    }
    BOOST_TEST(good(walk(std::filesystem::path(given) / "llm", std::cout, run)));
}

BOOST_AUTO_TEST_SUITE_END()
