#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <deque>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

/// \file
/// A program for a GPU as nvcc's middle end leaves it, read from its text: PTX (NVIDIA, "PTX ISA", sections are named where a rule is from there).

namespace simulated {

/// What goes wrong on a GPU, or what this one does not know.
struct fault : std::runtime_error {
    using std::runtime_error::runtime_error;
};

using word = std::uint64_t;   ///< a register of a lane: smaller types lie in its low bits
inline constexpr int lanes = 32;
using lane_mask = std::uint32_t;
inline constexpr lane_mask all_lanes = ~lane_mask{0};

class warp;
struct instruction;
using meaning = void (*)(warp&, instruction const&);

/// How a warp goes on after an instruction.
enum class flow { next, branch, exit, barrier, meet };   // meet: its lanes come together first

struct instruction {
    meaning does = nullptr;
    flow then = flow::next;
    int guard = -1;               ///< the predicate's slot, or -1
    bool unless = false;          ///< the predicate is negated
    int target = -1;              ///< of a branch
    int count = 0;                ///< of operands
    std::array<int, 48> at{};     ///< slots of operands in the order of the text, vectors element by element; an address is its base
    std::array<std::int64_t, 2> offset{};   ///< what is added to the first and the second address
    std::string text;
};

/// Slots that every kernel has.
enum special_slot { tid_x, tid_y, tid_z, ntid_x, ntid_y, ntid_z, ctaid_x, ctaid_y, ctaid_z, nctaid_x, nctaid_y, nctaid_z, laneid, first_free_slot };

struct kernel_parameter {
    std::size_t offset, size;
};

struct kernel {
    std::string name;
    std::vector<instruction> code;
    std::vector<std::pair<int, word>> constants;   ///< slots that hold the same number in every lane
    int slots = first_free_slot;
    std::vector<kernel_parameter> parameters;
    std::size_t parameter_bytes = 0;
    std::size_t static_shared = 0;                 ///< bytes; what a launch adds begins after them
    std::size_t local = 0;                         ///< bytes of a thread
    int most_threads = 1024;                       ///< of a block
};

struct module {
    std::deque<kernel> kernels;
    std::map<std::string, std::vector<unsigned char>, std::less<>> globals;   ///< variables of .global and .const
};

/// \throws fault where the text is not understood; an instruction that is not known is a fault only when it is run
module parse(std::string_view text);

/// What an instruction does, by its name without what changes nothing here ("add.f32", "shfl.bfly.b32"); null where it is not known.
struct known_instruction {
    meaning does;
    flow then = flow::next;
};
known_instruction const* find_instruction(std::string const& name);

}  // namespace simulated
