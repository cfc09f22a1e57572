# What tests are made of.
fob_test(NAME proxy LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_proxy.c LIBRARIES fob_test_support)
