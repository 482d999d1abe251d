// The main of every test program.
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>

#define BOOST_TEST_MODULE ATTNLAB_TEST_PROGRAM
#include <boost/test/unit_test.hpp>

#ifdef ATTNLAB_TESTS_ON_GPU
#include <attnlab/core/error.hpp>
#include <attnlab/kernels/cuda/declared.hpp>
#endif

namespace {

// ctest runs a program once per suite that CMake found in its files. A case outside of those suites would never run, and
// nobody would notice: so it stops the program.
struct every_case_is_asked_for {
    every_case_is_asked_for() {
        auto const& all = boost::unit_test::framework::master_test_suite();
        std::size_t found = 0;
        std::istringstream names(ATTNLAB_SUITES);
        for (std::string name; names >> name;) found += all.get(name) != boost::unit_test::INV_TEST_UNIT_ID;
        if (found != all.size()) throw std::runtime_error("expected no test outside the suites " ATTNLAB_SUITES);
    }
};

// For tests that read the variable themselves: one that is set already wins.
struct fixtures_in_environment {
    fixtures_in_environment() {
        if (std::filesystem::is_directory(ATTNLAB_DEFAULT_FIXTURES)) setenv("ATTNLAB_FIXTURES", ATTNLAB_DEFAULT_FIXTURES, 0);
    }
};

#ifdef ATTNLAB_TESTS_ON_GPU
// For ctest, which knows 77 as "skipped".
struct gpu_in_use {
    gpu_in_use() {
        try {
            attnlab::use_gpu();
        } catch (attnlab::error const& e) {
            std::cout << "skipped: no CUDA device: " << e.what() << std::endl;
            std::_Exit(77);
        }
    }
};
BOOST_TEST_GLOBAL_FIXTURE(gpu_in_use);
#endif

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(every_case_is_asked_for);
BOOST_TEST_GLOBAL_FIXTURE(fixtures_in_environment);
