# Policies that the checks run on: those of the attnlab program, which says them in a global property, and these.
set(generated "${CMAKE_CURRENT_BINARY_DIR}/generated")
get_property(types GLOBAL PROPERTY ATTNLAB_POLICIES)
list(PREPEND types "attention<causal, softmax>" "attention<causal, softmax, value_bias>" "attention<causal, softmax, context_bias>"
  "attention<causal, softmax, attention_bias>" "attention<causal, softmax, context_scale>" "attention<causal, sigmoid_attention>")
list(APPEND types "attention<full, softmax>" "attention<document, softmax, sink>" "attention<both<document, sliding_window<5>>, softmax1>"
  "attention<dilated_window<3, 9>, softmax, attention_bias>" "attention<qk_norm<>, rope_llama3<>, sink_window<1, 20>, soft_cap<20>, softmax, sink>"
  "attention<rope<10000, 4, true>, causal, clipped_softmax<1.1, -0.1>, element_gate>" "attention<alibi, temperature, causal, entmax15, value_bias>"
  "attention<value_gate, forgetting<>, causal, sigmoid_attention, head_gate, context_scale>"
  "attention<qk_norm_l2<64>, t5_bias<8, 20>, prefix<9>, softpick<>, head_input_gate<>>"
  "attention<learned_bias<64>, causal, plain_sigmoid>")

set(sources "")
set(declarations "")
set(calls "")
set(group 0)
while(types)
  list(SUBLIST types 0 4 some)
  list(LENGTH some count)
  foreach(i RANGE 1 ${count})
    list(POP_FRONT types)
  endforeach()
  set(adds "")
  foreach(type IN LISTS some)
    string(APPEND adds "all.push_back({\"${type}\", make_checked<${type}>()});\n    ")
  endforeach()
  configure_file(policies/compiled.cpp.in "${generated}/policies_${group}.cpp" @ONLY)
  list(APPEND sources "${generated}/policies_${group}.cpp")
  string(APPEND declarations "void add_checked_${group}(std::vector<attnlab::testing::named_policy>&);\n")
  string(APPEND calls "    add_checked_${group}(all);\n")
  math(EXPR group "${group} + 1")
endwhile()
file(CONFIGURE OUTPUT "${generated}/policies/all.inc" @ONLY CONTENT
  "#include \"policies/checked.hpp\"\n@declarations@inline std::vector<attnlab::testing::named_policy> checked_policies() {\n    std::vector<attnlab::testing::named_policy> all;\n@calls@    return all;\n}\n")
attnlab_test_program(test_policies SUITES policies SOURCES policies/library.cpp ${sources})
target_include_directories(test_policies PRIVATE "${generated}")
add_test(NAME policies.library COMMAND test_policies --run_test=policies --color_output=no)
set_tests_properties(policies.library PROPERTIES LABELS policies TIMEOUT 600)
