# What a sanitizer's report does to a test: it fails it. Modules that were not built here (czmq, libzmq) are told of by
# the hand-over functions, not by suppressions.
set(FOB_TEST_ENVIRONMENT "FOB_BINARY=${PROJECT_BINARY_DIR}/bus/fob" "FOB_BINARY_DIR=${PROJECT_BINARY_DIR}"
    "FOB_SOURCE_DIR=${PROJECT_SOURCE_DIR}")
if(FOB_SANITIZE MATCHES "address")
    list(APPEND FOB_TEST_ENVIRONMENT "ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1")
endif()
if(FOB_SANITIZE MATCHES "undefined")
    list(APPEND FOB_TEST_ENVIRONMENT "UBSAN_OPTIONS=print_stacktrace=1")
endif()
if(FOB_SANITIZE MATCHES "thread")
    list(APPEND FOB_TEST_ENVIRONMENT "TSAN_OPTIONS=halt_on_error=1 ignore_noninstrumented_modules=1")
endif()

# fob_case (NAME unit.topic.case LABEL unit COMMAND program argument... [TIMEOUT seconds])
#
# One ctest. FOB_BINARY, FOB_BINARY_DIR and FOB_SOURCE_DIR are in its environment.
function(fob_case)
    cmake_parse_arguments(T "" "NAME;LABEL;TIMEOUT" "COMMAND" ${ARGN})
    # It ends what hangs, and judges no speed: machines are uneven. A sanitizer is ten times slower, counted code five
    # times.
    if(NOT T_TIMEOUT OR T_TIMEOUT LESS 600)
        set(T_TIMEOUT 600)
    endif()
    if((FOB_SANITIZE OR FOB_COVERAGE) AND T_TIMEOUT LESS 1200)
        set(T_TIMEOUT 1200)
    endif()
    add_test(NAME ${T_NAME} COMMAND ${T_COMMAND})
    set_tests_properties(${T_NAME} PROPERTIES LABELS ${T_LABEL} TIMEOUT ${T_TIMEOUT}
        ENVIRONMENT "${FOB_TEST_ENVIRONMENT}")
endfunction()

# fob_test (NAME topic LABEL unit SOURCES test_topic.c LIBRARIES fob_proto [TIMEOUT seconds])
#
# Makes the program test_NAME and one ctest for each FOB_CASE in its sources, named LABEL.NAME.CASE.
function(fob_test)
    cmake_parse_arguments(T "" "NAME;LABEL;TIMEOUT" "SOURCES;LIBRARIES" ${ARGN})
    add_executable(test_${T_NAME} ${T_SOURCES})
    target_link_libraries(test_${T_NAME} PRIVATE fob_flags ${T_LIBRARIES} PkgConfig::CMOCKA)
    set(count 0)
    foreach(source ${T_SOURCES})
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
        # The name may stand on the next line.
        file(READ ${source} text)
        string(REGEX MATCHALL "FOB_CASE(_WITH)?[ \n]*\\([ \n]*[a-z0-9_]+" hits "${text}")
        foreach(hit IN LISTS hits)
            string(REGEX REPLACE "FOB_CASE(_WITH)?[ \n]*\\([ \n]*" "" case "${hit}")
            fob_case(NAME ${T_LABEL}.${T_NAME}.${case} LABEL ${T_LABEL} TIMEOUT ${T_TIMEOUT}
                COMMAND test_${T_NAME} ${case})
            math(EXPR count "${count} + 1")
        endforeach()
    endforeach()
    if(count EQUAL 0)
        message(FATAL_ERROR "test_${T_NAME} has no FOB_CASE: a test that cannot fail")
    endif()
endfunction()
