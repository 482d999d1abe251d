# Without an observer the passes of a model are the same code as if the library had none.
add_test(NAME observe.no_cost COMMAND "${CMAKE_COMMAND}" "-DSOURCE=${CMAKE_CURRENT_LIST_DIR}/passes.cpp"
  "-DCOMPILE=${CMAKE_CXX_COMPILER};-std=c++20;-O2;-DNDEBUG;-I${PROJECT_SOURCE_DIR}/include" "-DFOLDER=${CMAKE_CURRENT_BINARY_DIR}/no_cost"
  -P "${CMAKE_CURRENT_LIST_DIR}/compare.cmake")
set_tests_properties(observe.no_cost PROPERTIES LABELS observe TIMEOUT 300)
