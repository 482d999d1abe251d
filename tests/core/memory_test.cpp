// Buffers take memory from the source that is current where they are made, and give it back there.
#include <cstddef>
#include <cstdint>
#include <utility>

#include <boost/test/unit_test.hpp>

#include <attnlab/core/buffer.hpp>

BOOST_AUTO_TEST_SUITE(memory)

namespace {

using attnlab::current_memory, attnlab::heap_memory, attnlab::memory_source, attnlab::tensor;

std::size_t taken, given;
memory_source const counted{[](std::size_t bytes) { taken += bytes; return heap_memory.allocate(bytes); },
                            [](void* p, std::size_t bytes) { given += bytes; heap_memory.free(p, bytes); }};

struct counting {
    counting() { taken = given = 0, current_memory() = &counted; }
    ~counting() { current_memory() = &heap_memory; }
};

}  // namespace

BOOST_AUTO_TEST_CASE(comes_from_the_source_and_goes_back_there) {
    tensor<float, 2> before({3, 5}, 1.0f), moved;
    {
        tensor<float, 2> inside;
        {
            counting const now;
            inside = tensor<float, 2>({10, 7}, 2.0f);
            BOOST_TEST(taken == 280u);
            BOOST_TEST(reinterpret_cast<std::uintptr_t>(inside.data()) % attnlab::line_bytes == 0u);
            before = tensor<float, 2>();   // the heap's, given back to the heap
            BOOST_TEST(given == 0u);
        }
        BOOST_TEST(inside(9, 6) == 2.0f);
        inside.resize({20, 7});            // grows where it was made
        BOOST_TEST(taken == 280u + 560u);
        BOOST_TEST(given == 280u);
        moved = std::move(inside);
        BOOST_TEST(given == 280u);
        BOOST_TEST((inside.size() == 0 && inside.shape(0) == 0 && inside.shape(1) == 0));
    }
    moved = {};
    BOOST_TEST(given == taken);
    tensor<float, 1> const after({4}, 0.0f);
    BOOST_TEST(given == taken);
}

BOOST_AUTO_TEST_SUITE_END()
