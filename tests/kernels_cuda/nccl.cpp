// Ranks on GPUs link with NCCL; where there is a GPU, one of them sums with itself.
// Exit 0: the numbers are what they were; 1: they are not; 77: there is no GPU.
#include <iostream>
#include <numeric>
#include <span>

#include <attnlab/core/buffer.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/train/nccl_ranks.hpp>

using namespace attnlab;

int main() {
    std::cout << "NCCL " << gpu_group::nccl_version() << std::endl;
    try {
        std::cout << use_gpu().name << std::endl;
    } catch (error const& e) {
        std::cout << "skipped: " << e.what() << std::endl;
        return 77;
    }
    buffer<float> x(1000);
    std::iota(x.data(), x.data() + x.size(), 0.0f);
    one_rank host;
    nccl_ranks all(host);
    all.begin_sum(std::span(x.data(), 600));
    all.begin_sum(std::span(x.data() + 600, 400));
    all.finish_sums();
    for (std::size_t i = 0; i < x.size(); ++i)
        if (x.data()[i] != static_cast<float>(i)) {
            std::cout << "number " << i << " is " << x.data()[i] << ": expected the same" << std::endl;
            return 1;
        }
    std::cout << "all as they were" << std::endl;
}
